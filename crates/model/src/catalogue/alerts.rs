//! The table of the `alerts` server: what is firing now.

use super::ServerSpec;

pub fn spec() -> ServerSpec {
    ServerSpec {
        #[expect(clippy::expect_used, reason = "a constant name, covered by a test")]
        server: "alerts".parse().expect("constant"),
        types: vec![],
        reads: vec![],
        functions: vec![],
        actions: vec![],
    }
}
