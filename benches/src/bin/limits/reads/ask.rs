//! The desk's queries, each at random keys of what is stored.

use benches::draw::Draw;
use clap::ValueEnum;
use schemas::conversation::ConversationState;
use schemas::ids::{ConversationId, LineKey};
use sink::store::{Filter, Order};
use sink::{Store, customers, timeline};

use super::fill::Shape;
use crate::made::{EACH, Keys, NOW_MS, Plan, QUEUES, TENANTS, agent};

/// Lines of a page of a history, as the desk asks for them.
const LINES_MAX: usize = 1_000;
/// Conversations of a list, by default.
const LIST: usize = 50;
/// Conversations of a customer, and lines of a page of the timeline.
const CONVERSATIONS_MAX: usize = 200;
const TIMELINE: usize = 100;
/// Names alike that are suggested.
const SUGGESTED: usize = 8;

/// A query, and what it is called in results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)] // the names are the documentation
pub enum Query {
    #[value(name = "conversation")]
    Conversation,
    #[value(name = "history, whole")]
    History,
    #[value(name = "history behind a line")]
    HistoryBehind,
    #[value(name = "latest of a contact")]
    LatestOf,
    #[value(name = "message")]
    Message,
    #[value(name = "place in the queue")]
    AheadOf,
    #[value(name = "list queued by urgency")]
    Queued,
    #[value(name = "list queued of a queue")]
    QueuedOfQueue,
    #[value(name = "list open by change")]
    Open,
    #[value(name = "list of an agent's own")]
    Mine,
    #[value(name = "list all by change")]
    Recent,
    #[value(name = "list all, a later page")]
    RecentNext,
    #[value(name = "list resolved")]
    Resolved,
    #[value(name = "list resolved, next page")]
    ResolvedNext,
    #[value(name = "list closed")]
    Closed,
    #[value(name = "list closed, a later page")]
    ClosedNext,
    #[value(name = "list of a queue, any state")]
    OfQueue,
    #[value(name = "list of an agent, any state")]
    OfOwner,
    #[value(name = "queues")]
    Queues,
    #[value(name = "minutes, one hour")]
    Minutes,
    #[value(name = "turns to look at")]
    Checks,
    #[value(name = "customer with names alike")]
    Customer,
    #[value(name = "customer's conversations")]
    CustomerConversations,
    #[value(name = "page of a timeline")]
    TimelinePage,
}

/// Whoever asks.
pub struct Asker<'a> {
    store: &'a dyn Store,
    shape: Shape,
    keys: Keys,
    draw: Draw,
    /// Conversations that wait.
    waiting: Vec<ConversationId>,
}

impl<'a> Asker<'a> {
    /// Looks up who waits.
    pub async fn of(store: &'a dyn Store, shape: Shape) -> anyhow::Result<Self> {
        let mut waiting = Vec::new();
        let filter = Filter { states: vec![ConversationState::Queued], ..Filter::default() };
        for tenant in TENANTS {
            let rows = store.conversations(tenant, &filter, Order::Urgency, 1_000).await?;
            waiting.extend(rows.iter().map(|row| row.conversation_id));
        }
        Ok(Self { store, shape, keys: shape.keys(), draw: Draw::of(0xa5c), waiting })
    }

    fn plan(&mut self) -> Plan {
        Plan::stored(self.keys, self.draw.below(self.shape.conversations))
    }

    fn contact(&mut self) -> LineKey {
        let contacts = self.shape.conversations / EACH;
        self.keys.contact(self.draw.below(contacts))
    }

    /// A moment within what is stored.
    fn moment_ms(&mut self) -> i64 {
        NOW_MS - self.draw.below(170 * 86_400_000).cast_signed()
    }

    /// Asks once; gives how many rows came.
    pub async fn ask(&mut self, query: Query) -> anyhow::Result<usize> {
        let store = self.store;
        Ok(match query {
            Query::Conversation => {
                usize::from(store.conversation(self.plan().id()).await?.is_some())
            }
            Query::History => store.history(self.plan().id(), 0, LINES_MAX).await?.len(),
            Query::HistoryBehind => store.history(self.plan().id(), 4, LINES_MAX).await?.len(),
            Query::LatestOf => usize::from(store.latest_of(&self.contact()).await?.is_some()),
            Query::Message => {
                let id = self.keys.message(self.draw.below(self.shape.messages));
                usize::from(store.message(id).await?.is_some())
            }
            Query::AheadOf => match self.who_waits() {
                Some(id) => usize::from(store.ahead_of(id).await?.is_some()),
                None => 0,
            },
            Query::Queues => store.queues(self.tenant(), NOW_MS).await?.len(),
            Query::Minutes => {
                let to = NOW_MS / 60_000 - self.draw.below(6 * 24 * 60).cast_signed();
                store.minutes(self.tenant(), to - 60, to).await?.len()
            }
            Query::Checks => store.checks(self.tenant(), NOW_MS, LIST).await?.len(),
            Query::Customer | Query::CustomerConversations | Query::TimelinePage => {
                self.customer(query).await?
            }
            _ => self.list(query).await?,
        })
    }

    fn who_waits(&mut self) -> Option<ConversationId> {
        let at = self.draw.below(self.waiting.len() as u64);
        self.waiting.get(usize::try_from(at).ok()?).copied()
    }

    fn tenant(&mut self) -> &'static str {
        self.draw.of_all(&TENANTS)
    }

    async fn customer(&mut self, query: Query) -> anyhow::Result<usize> {
        let (store, contact) = (self.store, self.contact());
        let customer = customers::customer_of(store, &contact).await?;
        Ok(match query {
            Query::Customer => {
                let alike = store.alike(&contact, SUGGESTED).await?;
                customer.contacts.len() + alike.len()
            }
            Query::CustomerConversations => {
                let tenant = &contact.tenant;
                let page =
                    timeline::conversations(store, tenant, &customer, None, CONVERSATIONS_MAX);
                page.await?.shown.len()
            }
            _ => {
                let page = timeline::lines(store, &contact.tenant, &customer, None, TIMELINE);
                page.await?.shown.len()
            }
        })
    }

    async fn list(&mut self, query: Query) -> anyhow::Result<usize> {
        use ConversationState::{
            Assigned, BotAnswered, Closed, Csat, Queued, Resolved, Triage, WaitingCustomer,
        };
        let states = match query {
            Query::Queued | Query::QueuedOfQueue => vec![Queued],
            Query::Open => vec![Triage, BotAnswered, Queued, Assigned, WaitingCustomer],
            Query::Mine => vec![Assigned, WaitingCustomer],
            Query::Resolved | Query::ResolvedNext => vec![Resolved, Csat],
            Query::Closed | Query::ClosedNext => vec![Closed],
            _ => Vec::new(),
        };
        let is_urgent = matches!(query, Query::Queued | Query::QueuedOfQueue);
        let order = if is_urgent { Order::Urgency } else { Order::Recent };
        let queue = matches!(query, Query::QueuedOfQueue | Query::OfQueue)
            .then(|| self.draw.of_all(&QUEUES).to_owned());
        let owner =
            matches!(query, Query::Mine | Query::OfOwner).then(|| agent(self.draw.below(40)));
        let updated_before_ms = match query {
            Query::RecentNext | Query::ClosedNext => Some(self.moment_ms()),
            Query::ResolvedNext => Some(NOW_MS - self.draw.below(86_400_000).cast_signed()),
            _ => None,
        };
        let filter = Filter { states, queue, owner, updated_before_ms };
        Ok(self.store.conversations(self.tenant(), &filter, order, LIST).await?.len())
    }
}
