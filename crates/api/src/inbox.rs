//! Ids of changes. The caller owns the randomness.

use std::fmt::Write as _;

use steadyhand_model::ids::{IdError, InboxId};

/// Random bytes in an inbox id: enough that two are never equal by accident.
pub const INBOX_RANDOM_BYTES: usize = 16;

/// `c-` and 32 hexadecimal digits.
///
/// # Errors
/// None in practice: hexadecimal digits are an id.
pub fn inbox_id(random: [u8; INBOX_RANDOM_BYTES]) -> Result<InboxId, IdError> {
    let mut text = String::from("c-");
    for byte in random {
        // Writing to a string cannot fail.
        if write!(text, "{byte:02x}").is_err() {
            break;
        }
    }
    text.parse()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_the_random_bytes_are_in_the_id() {
        let mut random = [0; INBOX_RANDOM_BYTES];
        random[0] = 0x0f;
        random[15] = 0xff;
        assert_eq!(inbox_id(random).unwrap().as_str(), "c-0f0000000000000000000000000000ff");
    }
}
