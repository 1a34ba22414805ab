//! How providers are spoken to about files: their APIs as they are configured, and wherever those send us,
//! which must be outside.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::header::LOCATION;
use reqwest::{Client, RequestBuilder, Response, Url};
use schemas::media::MediaResult;
use serde_json::Value;

use super::outside::{OutsideOnly, is_outside};
use super::source::{Credentials, FetchError, Located};

/// How long a provider may take for the whole of an answer.
const TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a provider may send us on.
const REDIRECTS_MAX: usize = 4;
/// Bytes of an API's answer that are read.
const ANSWER_BYTES_MAX: usize = 256 << 10;

/// A provider's API answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status of HTTP.
    pub status: u16,
    /// Null when it is not JSON.
    pub body: Value,
}

impl Answer {
    /// What the status says where the provider says nothing better: a token that is not taken may be renewed.
    ///
    /// # Errors
    /// [`FetchError`].
    pub fn accepted(&self) -> Result<(), FetchError> {
        by_status(self.status)
    }
}

fn by_status(status: u16) -> Result<(), FetchError> {
    match status {
        200..=299 => Ok(()),
        401 | 403 | 408 | 425 | 429 | 500.. => Err(FetchError::Later(format!("status {status}"))),
        _ => Err(FetchError::refused()),
    }
}

/// The way to providers.
pub struct Web {
    /// To what is configured.
    home: Client,
    /// To anything else.
    outside: Client,
    bytes_max: usize,
}

impl Web {
    /// Reads files of `bytes_max` at most.
    ///
    /// # Errors
    /// When no HTTP client can be had, in words.
    pub fn new(bytes_max: usize) -> Result<Self, String> {
        let client = || {
            Client::builder()
                .timeout(TIMEOUT)
                .connect_timeout(CONNECT_TIMEOUT)
                .redirect(reqwest::redirect::Policy::none())
        };
        let said = |error: reqwest::Error| error.to_string();
        // A proxy would look names up in our place, and might lead back in.
        let outside = client().https_only(true).no_proxy().dns_resolver(OutsideOnly);
        let (home, outside) = (client().build(), outside.build());
        Ok(Self { home: home.map_err(said)?, outside: outside.map_err(said)?, bytes_max })
    }

    /// The largest file that is read.
    #[must_use]
    pub fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// Asks a provider's API.
    ///
    /// # Errors
    /// [`FetchError::Later`] when it cannot be reached.
    pub async fn ask(&self, url: &str, credentials: &Credentials) -> Result<Answer, FetchError> {
        let response = sent(shown(self.home.get(url), credentials)).await?;
        let status = response.status().as_u16();
        let body = read(response, ANSWER_BYTES_MAX).await?;
        Ok(Answer { status, body: serde_json::from_slice(&body).unwrap_or_default() })
    }

    /// The bytes of a file.
    ///
    /// # Errors
    /// [`FetchError`].
    pub async fn download(&self, located: &Located) -> Result<Vec<u8>, FetchError> {
        let parse = |url: &str| Url::parse(url).map_err(|_| FetchError::refused());
        let (first, home) = (parse(&located.url)?, parse(&located.home)?);
        let mut url = first.clone();
        for _ in 0..=REDIRECTS_MAX {
            let request = self.way(&url, &home)?.get(url.clone());
            // What is ours to show is shown where the provider said, not where that place sends us.
            let ours = url.origin() == first.origin();
            let request = if ours { shown(request, &located.credentials) } else { request };
            let response = sent(request).await?;
            if !response.status().is_redirection() {
                by_status(response.status().as_u16())?;
                return read(response, self.bytes_max).await;
            }
            let next = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
            let next = next.and_then(|next| url.join(next).ok());
            url = next.ok_or_else(FetchError::refused)?;
        }
        Err(FetchError::refused())
    }

    /// The client for `url`; none for what is neither the provider's home nor outside.
    fn way(&self, url: &Url, home: &Url) -> Result<&Client, FetchError> {
        if url.origin() == home.origin() {
            return Ok(&self.home);
        }
        let host = url.host_str().ok_or_else(FetchError::refused)?;
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let inside = bare.parse::<IpAddr>().is_ok_and(|address| !is_outside(address));
        let allowed = url.scheme() == "https" && !inside;
        if allowed { Ok(&self.outside) } else { Err(FetchError::refused()) }
    }
}

fn shown(request: RequestBuilder, credentials: &Credentials) -> RequestBuilder {
    match credentials {
        Credentials::None => request,
        Credentials::Bearer(token) => request.bearer_auth(token),
        Credentials::Basic { user, password } => request.basic_auth(user, Some(password)),
    }
}

fn later(error: reqwest::Error) -> FetchError {
    FetchError::Later(error.without_url().to_string())
}

async fn sent(request: RequestBuilder) -> Result<Response, FetchError> {
    request.send().await.map_err(later)
}

/// The body, unless it is larger than `most`: then no more of it is read.
async fn read(mut response: Response, most: usize) -> Result<Vec<u8>, FetchError> {
    let too_large = || FetchError::Never(MediaResult::TooLarge);
    if response.content_length().is_some_and(|length| length > most as u64) {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(later)? {
        if bytes.len() + chunk.len() > most {
            return Err(too_large());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}
