//! The table of the `kubernetes` server.

use super::ServerSpec;

pub fn spec() -> ServerSpec {
    ServerSpec {
        #[expect(clippy::expect_used, reason = "a constant name, covered by a test")]
        server: "kubernetes".parse().expect("constant"),
        types: vec![],
        reads: vec![],
        functions: vec![],
        actions: vec![],
    }
}
