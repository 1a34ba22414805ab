//! The telephone: a call is over when its answer is ready, so answers go by SMS where the tenant has a number
//! for that, and otherwise a person calls.
//!
//! Invariant: as that of the sender of texts.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use schemas::message::Channel;

use super::sender::{Outgoing, SendError, Sender, Sent};

/// One number of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Whose customers call.
    pub tenant: String,
    /// The number texts come from; empty: none do.
    pub sms_from: String,
}

/// The sender.
pub struct Phone {
    /// By their names in the configuration.
    accounts: HashMap<String, Account>,
    texts: Arc<dyn Sender>,
}

impl Phone {
    /// Sends what callers are answered by `texts`.
    #[must_use]
    pub fn new(accounts: HashMap<String, Account>, texts: Arc<dyn Sender>) -> Self {
        Self { accounts, texts }
    }
}

#[async_trait]
impl Sender for Phone {
    fn name(&self) -> &'static str {
        "phone"
    }

    fn is_idempotent(&self) -> bool {
        self.texts.is_idempotent()
    }

    async fn send(&self, outgoing: &Outgoing) -> Result<Sent, SendError> {
        let account = self.accounts.get(&outgoing.account);
        let account = account.filter(|account| account.tenant == outgoing.tenant);
        match account.map(|account| account.sms_from.as_str()) {
            None => Err(SendError::Refused("no_account_of_the_tenant".to_owned())),
            Some("") => Err(SendError::Refused("callers_are_called_back".to_owned())),
            Some(from) => {
                let text = Outgoing {
                    channel: Channel::Sms,
                    account: from.to_owned(),
                    ..outgoing.clone()
                };
                self.texts.send(&text).await
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;

    use super::*;
    use crate::deliver::sender::sample;

    /// Takes everything, and remembers how it went.
    #[derive(Default)]
    struct Texts(Mutex<Vec<(Channel, String)>>);

    #[async_trait]
    impl Sender for Texts {
        fn name(&self) -> &'static str {
            "texts"
        }

        fn is_idempotent(&self) -> bool {
            false
        }

        async fn send(&self, outgoing: &Outgoing) -> Result<Sent, SendError> {
            self.0.lock().push((outgoing.channel, outgoing.account.clone()));
            Ok(Sent::default())
        }
    }

    #[tokio::test]
    async fn callers_are_answered_by_text_where_there_is_a_number_for_that() {
        let texts = Arc::new(Texts::default());
        let account =
            |sms_from: &str| Account { tenant: "demo".to_owned(), sms_from: sms_from.to_owned() };
        let accounts = [("sac", "+551140000000"), ("mudo", "")]
            .map(|(name, from)| (name.to_owned(), account(from)));
        let phone = Phone::new(accounts.into(), Arc::clone(&texts) as Arc<dyn Sender>);
        let send = async |name: &str, tenant: &str| {
            let outgoing = Outgoing {
                channel: Channel::Phone,
                account: name.to_owned(),
                tenant: tenant.to_owned(),
                ..sample(0)
            };
            phone.send(&outgoing).await
        };
        assert!(send("sac", "demo").await.is_ok());
        for (name, tenant) in [("mudo", "demo"), ("sac", "acme"), ("other", "demo")] {
            let refused = send(name, tenant).await;
            assert!(matches!(refused, Err(SendError::Refused(_))), "{name} {tenant}");
        }
        assert_eq!(*texts.0.lock(), [(Channel::Sms, "+551140000000".to_owned())]);
    }
}
