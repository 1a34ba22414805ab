//! What happens, as it happens: a line of a conversation an event, personal numbers masked; and who is
//! writing just now.

use std::convert::Infallible;

use axum::extract::{Query, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::stream::{self, Stream};
use serde_json::json;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::access::Scope;
use crate::api::{Desk, OfTenant};
use crate::floor::Line;
use crate::problem::Problem;
use crate::typing::CustomerTypes;
use crate::views::{self, Text};

/// A page that looks.
struct Looking {
    desk: Desk,
    tenant: String,
    lines: Receiver<Line>,
    signs: Receiver<CustomerTypes>,
}

/// `GET /v1/stream`.
pub(crate) async fn live(
    State(desk): State<Desk>,
    scope: Scope,
    Query(asked): Query<OfTenant>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let (_, tenant) = desk.keys(&scope, asked.tenant.as_deref())?;
    let (lines, signs) = (desk.floor.follow(), desk.floor.signs());
    let stream = stream::unfold(Looking { desk, tenant, lines, signs }, |mut looking| async move {
        let event = looking.next().await?;
        Some((Ok(event), looking))
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::default()))
}

impl Looking {
    async fn next(&mut self) -> Option<Event> {
        loop {
            tokio::select! {
                () = self.desk.stop.cancelled() => return None,
                line = self.lines.recv() => match line {
                    Ok(line) if line.1.tenant == self.tenant => {
                        let keys = self.desk.keyring.of(&self.tenant).ok()?;
                        let shown = views::line(keys, line.0, &line.1, Text::Masked);
                        return Some(Event::default().event("line").data(shown.to_string()));
                    }
                    Ok(_) => {}
                    // The page has missed something: it is told to begin anew, not fed on.
                    Err(RecvError::Lagged(_)) => {
                        return Some(Event::default().event("lagged").data("{}"));
                    }
                    Err(RecvError::Closed) => return None,
                },
                sign = self.signs.recv() => match sign {
                    Ok(sign) if sign.tenant == self.tenant => {
                        let shown = json!({ "conversation_id": sign.conversation, "on": sign.on });
                        return Some(Event::default().event("typing").data(shown.to_string()));
                    }
                    // A sign that was missed is followed by the next.
                    Ok(_) | Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return None,
                },
            }
        }
    }
}
