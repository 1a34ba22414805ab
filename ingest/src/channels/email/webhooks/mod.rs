//! Mails as providers post them: SendGrid Inbound Parse, Mailgun Routes, Postmark Inbound.
//!
//! Verified, kept in `raw` for 72 h, adapted, and acknowledged once durable. SendGrid and Postmark sign
//! nothing: they show a secret, as the password of HTTP Basic or, for SendGrid, in the path.

mod form;
mod mailgun;
mod postmark;
mod sendgrid;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use bytes::Bytes;
use data_encoding::BASE64;
use subtle::ConstantTimeEq;

use self::form::Form;
use self::mailgun::{Refusal, Tokens};
use super::{Account, Accounts, Mail, intake};
use crate::door::{Door, Problem, RawBody, body_limit};

/// Largest body: providers pass on mails of up to 30 MB, attachments and all.
const BODY_BYTES_MAX: usize = 32 << 20;

#[derive(Clone)]
struct Webhook {
    door: Door,
    accounts: Arc<Accounts>,
    tokens: Arc<Tokens>,
}

/// The routes.
pub fn routes(door: Door, accounts: Arc<Accounts>) -> Router {
    let routes = Router::new()
        .route("/v1/channels/sendgrid/{account}", post(sendgrid_basic))
        .route("/v1/channels/sendgrid/{account}/{secret}", post(sendgrid_in_path))
        .route("/v1/channels/mailgun/{account}", post(mailgun))
        .route("/v1/channels/postmark/{account}", post(postmark))
        .with_state(Webhook { door, accounts, tokens: Arc::default() });
    body_limit(routes, BODY_BYTES_MAX)
}

impl Webhook {
    /// The account and its secret at a provider.
    fn account(
        &self,
        name: &str,
        provider: &str,
        secret: impl Fn(&Account) -> &Option<String>,
    ) -> Result<(&Account, &str), Problem> {
        let account = self.accounts.named(name);
        let found = account.and_then(|account| Some((account, secret(account).as_deref()?)));
        found.ok_or_else(|| {
            Problem::not_found(format!(
                "{provider} is not set up for '{name}': add channels.email.{name}.{provider} to the \
                 configuration"
            ))
        })
    }

    /// Keeps what came, and what it tells.
    async fn take(
        &self,
        (provider, name): (&'static str, &str),
        account: &Account,
        headers: &HeaderMap,
        body: &Bytes,
        mail: Option<Mail>,
    ) -> Result<StatusCode, Problem> {
        let raw = intake::raw(&self.door, (provider, name), content_type(headers), body)?;
        let told = mail.and_then(|mail| super::adapt::adapt(name, self.accounts.own(), &mail));
        let told =
            told.map(|event| intake::record(&self.door, &account.tenant, event)).transpose()?;
        self.door.append(raw.into_iter().chain(told).collect()).await?;
        Ok(StatusCode::OK)
    }
}

async fn sendgrid_basic(
    State(webhook): State<Webhook>,
    Path(name): Path<String>,
    headers: HeaderMap,
    RawBody(body): RawBody,
) -> Result<StatusCode, Problem> {
    let (account, secret) = webhook.account(&name, "sendgrid", |account| &account.sendgrid)?;
    shown(password(&headers).as_deref(), secret)?;
    sendgrid(&webhook, &name, account, &headers, body).await
}

async fn sendgrid_in_path(
    State(webhook): State<Webhook>,
    Path((name, in_path)): Path<(String, String)>,
    headers: HeaderMap,
    RawBody(body): RawBody,
) -> Result<StatusCode, Problem> {
    let (account, secret) = webhook.account(&name, "sendgrid", |account| &account.sendgrid)?;
    shown(Some(&in_path), secret)?;
    sendgrid(&webhook, &name, account, &headers, body).await
}

async fn sendgrid(
    webhook: &Webhook,
    name: &str,
    account: &Account,
    headers: &HeaderMap,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let form = form(headers, &body).await?;
    webhook.take(("sendgrid", name), account, headers, &body, sendgrid::mail(form)).await
}

async fn mailgun(
    State(webhook): State<Webhook>,
    Path(name): Path<String>,
    headers: HeaderMap,
    RawBody(body): RawBody,
) -> Result<StatusCode, Problem> {
    let (account, key) = webhook.account(&name, "mailgun", |account| &account.mailgun)?;
    let form = form(&headers, &body).await?;
    let now_ms = webhook.door.now_ms();
    let token = webhook.tokens.check(key, &form, now_ms).map_err(|refusal| match refusal {
        Refusal::NotSigned => unauthorized("the signature is not ours, or is too old"),
        // 406: Mailgun does not send it again.
        Refusal::TakenBefore => Problem::new(
            StatusCode::NOT_ACCEPTABLE,
            "taken_before",
            "this signature has been used; each is taken once",
        ),
    })?;
    let taken =
        webhook.take(("mailgun", &name), account, &headers, &body, mailgun::mail(form)).await?;
    webhook.tokens.take(token, now_ms);
    Ok(taken)
}

async fn postmark(
    State(webhook): State<Webhook>,
    Path(name): Path<String>,
    headers: HeaderMap,
    RawBody(body): RawBody,
) -> Result<StatusCode, Problem> {
    let (account, secret) = webhook.account(&name, "postmark", |account| &account.postmark)?;
    shown(password(&headers).as_deref(), secret)?;
    let mail = postmark::mail(&body)
        .map_err(|why| Problem::new(StatusCode::BAD_REQUEST, "malformed_json", why))?;
    webhook.take(("postmark", &name), account, &headers, &body, mail).await
}

fn content_type(headers: &HeaderMap) -> &str {
    headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

async fn form(headers: &HeaderMap, body: &Bytes) -> Result<Form, Problem> {
    Form::read(content_type(headers), body.clone())
        .await
        .map_err(|why| Problem::new(StatusCode::BAD_REQUEST, "malformed_form", why))
}

/// The password of HTTP Basic (RFC 7617); the user's name may be anything.
fn password(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, credentials) = value.split_once(' ')?;
    let decoded = BASE64.decode(credentials.trim().as_bytes()).ok()?;
    let pair = String::from_utf8(decoded).ok()?;
    let (_, password) = pair.split_once(':')?;
    scheme.eq_ignore_ascii_case("basic").then(|| password.to_owned())
}

fn shown(shown: Option<&str>, secret: &str) -> Result<(), Problem> {
    let right = !secret.is_empty()
        && bool::from(shown.unwrap_or_default().as_bytes().ct_eq(secret.as_bytes()));
    if right { Ok(()) } else { Err(unauthorized("the secret is not ours")) }
}

fn unauthorized(detail: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "not_the_provider", detail)
}
