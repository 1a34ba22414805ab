# Written to the images' documentation; not run where this project is built.
FROM rust:1.95-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends make pkg-config libssl-dev
WORKDIR /src
COPY . .
RUN cargo build --release

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends libssl3 ca-certificates \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /src/target/release/correnteza /usr/local/bin/correnteza
ENTRYPOINT ["correnteza"]
