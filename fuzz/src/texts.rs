//! Texts: what is masked, and the files a provider writes himself.

use responder::Catalogue;
use schemas::masking::mask;

use crate::Target;

/// What is masked stays as it is when it is masked again.
fn masking(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let masked = mask(&text);
    assert!(mask(&masked) == masked, "masked twice, it differs");
}

fn catalogue(bytes: &[u8]) {
    let _ = Catalogue::parse(&String::from_utf8_lossy(bytes));
}

fn policy(bytes: &[u8]) {
    let _ = router::Settings::parse(&String::from_utf8_lossy(bytes));
}

const TEXTS: &[&[u8]] = &[
    b"CPF 529.982.247-25, cel (11) 98765-4321, ana@x.com.br",
    b"CNPJ 11.222.333/0001-81, cartao 4111 1111 1111 1111",
];
const CATALOGUE: &[&[u8]] = &[responder::catalogue::BUILT_IN.as_bytes()];
const POLICY: &[&[u8]] = &[include_bytes!("../../router/policy.toml")];

pub(crate) fn targets() -> Vec<Target> {
    vec![
        Target { name: "masking", seeds: TEXTS, read: masking },
        Target { name: "catalogue", seeds: CATALOGUE, read: catalogue },
        Target { name: "policy", seeds: POLICY, read: policy },
    ]
}
