//! The parts every message goes through, one by one.
#![allow(missing_docs, clippy::unwrap_used)] // a benchmark fails loudly

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use schemas::masking::mask;
use schemas::sealed::TenantKeys;

fn parts(c: &mut Criterion) {
    let text = "oi boa tarde, minha internet caiu desde ontem, meu cpf é 529.982.247-25 e meu fone (11) 98765-4321";
    c.bench_function("mask", |b| b.iter(|| mask(black_box(text))));
    let keys = TenantKeys::derive("bench", "k1", &[7; 32]);
    c.bench_function("seal", |b| b.iter(|| keys.seal(b"id", black_box(text.as_bytes())).unwrap()));
    let sealed = keys.seal(b"id", text.as_bytes()).unwrap();
    c.bench_function("open", |b| b.iter(|| keys.open_text(black_box(&sealed)).unwrap()));
}

criterion_group!(benches, parts);
criterion_main!(benches);
