//! A transcriber behind the API of Whisper (`POST /v1/audio/transcriptions`): OpenAI's own, or one of the
//! servers that speak it.
//!
//! The confidence is the probability of the words as the model gave it: over the segments, weighted by how
//! long they are, `exp(avg_logprob) × (1 − no_speech_prob)` (openai/whisper, `decoding.py`: `avg_logprob` is
//! the mean log probability of a segment's tokens). A server that tells no segments tells no confidence.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::multipart::{Form, Part};
use serde::Deserialize;

use super::transcribe::{Heard, Recording, TranscribeError, Transcriber};

/// How long a transcript may take.
const TIMEOUT: Duration = Duration::from_secs(120);
/// Weight of a segment without a length, in seconds.
const INSTANT_S: f64 = 0.01;

/// The transcriber.
pub struct Whisper {
    client: reqwest::Client,
    url: String,
    api_key: String,
    model: String,
    language: String,
}

#[derive(Deserialize)]
struct Verbose {
    #[serde(default)]
    text: String,
    #[serde(default)]
    segments: Vec<Segment>,
}

#[derive(Deserialize)]
struct Segment {
    #[serde(default)]
    start: f64,
    #[serde(default)]
    end: f64,
    avg_logprob: Option<f64>,
    #[serde(default)]
    no_speech_prob: f64,
}

impl Whisper {
    /// Asks the server at `url` (`https://…`, without `/v1`); without `api_key` it asks for none.
    ///
    /// # Errors
    /// When no HTTP client can be had, in words.
    pub fn new(url: &str, api_key: &str, model: &str, language: &str) -> Result<Self, String> {
        let client = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| error.to_string())?;
        let url = format!("{}/v1/audio/transcriptions", url.trim_end_matches('/'));
        let [api_key, model, language] = [api_key, model, language].map(str::to_owned);
        Ok(Self { client, url, api_key, model, language })
    }

    fn form(&self, recording: Recording) -> Result<Form, TranscribeError> {
        let ending = ending(&recording.mime);
        let part = Part::bytes(recording.bytes)
            .file_name(format!("audio.{ending}"))
            .mime_str(&recording.mime)
            .map_err(|_| TranscribeError::Permanent("no media type".to_owned()))?;
        let form = Form::new()
            .part("file", part)
            .text("model", self.model.clone())
            .text("response_format", "verbose_json")
            .text("temperature", "0");
        Ok(match self.language.as_str() {
            "" => form,
            language => form.text("language", language.to_owned()),
        })
    }
}

/// Servers tell formats by names of files.
fn ending(mime: &str) -> &str {
    match mime {
        "audio/mpeg" => "mp3",
        "audio/mp4" | "audio/aac" => "m4a",
        other => other.split('/').nth(1).unwrap_or("ogg"),
    }
}

fn confidence(segments: &[Segment]) -> f64 {
    let (mut sum, mut weights) = (0.0, 0.0);
    for segment in segments {
        let Some(logprob) = segment.avg_logprob else { continue };
        let weight = (segment.end - segment.start).max(INSTANT_S);
        let sure = logprob.min(0.0).exp() * (1.0 - segment.no_speech_prob.clamp(0.0, 1.0));
        sum += weight * sure;
        weights += weight;
    }
    let mean = if weights > 0.0 { sum / weights } else { 0.0 };
    if mean.is_finite() { mean } else { 0.0 }
}

#[async_trait]
impl Transcriber for Whisper {
    async fn transcribe(&self, recording: Recording) -> Result<Heard, TranscribeError> {
        let later =
            |error: reqwest::Error| TranscribeError::Transient(error.without_url().to_string());
        let mut request = self.client.post(&self.url).multipart(self.form(recording)?);
        if !self.api_key.is_empty() {
            request = request.bearer_auth(&self.api_key);
        }
        let response = request.send().await.map_err(later)?;
        let status = response.status().as_u16();
        match status {
            200..=299 => {}
            // A key may be renewed; what is wrong with the recording stays wrong.
            401 | 403 | 408 | 429 | 500.. => {
                return Err(TranscribeError::Transient(format!("status {status}")));
            }
            _ => return Err(TranscribeError::Permanent(format!("status {status}"))),
        }
        let body = response.bytes().await.map_err(later)?;
        let said: Verbose = serde_json::from_slice(&body)
            .map_err(|_| TranscribeError::Permanent("it answered no verbose_json".to_owned()))?;
        Ok(Heard { confidence: confidence(&said.segments), text: said.text })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(segments: &serde_json::Value) -> f64 {
        let said: Verbose = serde_json::from_value(json!({ "segments": segments })).unwrap();
        (confidence(&said.segments) * 1000.0).round() / 1000.0
    }

    #[test]
    fn a_transcript_is_as_sure_as_its_words() {
        let segment = |end: f64, logprob: f64, silent: f64| json!({ "start": 0.0, "end": end, "avg_logprob": logprob, "no_speech_prob": silent });
        assert_eq!(of(&json!([segment(2.0, 0.0, 0.0)])), 1.0);
        assert_eq!(of(&json!([segment(2.0, -0.25, 0.1)])), 0.701);
        assert_eq!(of(&json!([segment(3.0, 0.0, 0.0), segment(1.0, 0.0, 1.0)])), 0.75);
        assert_eq!(of(&json!([segment(2.0, 5.0, -3.0)])), 1.0, "never more than sure");
        assert_eq!(of(&json!([])), 0.0, "no segments, no confidence");
        assert_eq!(of(&json!([{ "start": 0.0, "end": 1.0 }])), 0.0);
    }
}
