//! Who is at the other end of the socket: the kernel says which user, the user database says the name.
//!
//! A library's `people.yaml` will map users to people; until then a person is the user of the operating system.

use steadyhand_api::socket::Peer;
use steadyhand_model::actor::Actor;
use steadyhand_model::approval::Evidence;
use steadyhand_model::ids::{IdError, PersonId};

/// The local user database.
const PASSWD: &str = "/etc/passwd";

/// A caller, as far as the kernel knows.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) actor: Actor,
    pub(crate) evidence: Evidence,
}

/// Looks a caller up. A user without a name in the database is known by number.
pub(crate) fn caller(peer: Peer) -> Result<Caller, IdError> {
    let numbered = format!("uid-{}", peer.uid);
    let named = std::fs::read_to_string(PASSWD).map_or(None, |text| name_of(&text, peer.uid));
    let user = named.unwrap_or_else(|| numbered.clone());
    let person = match user.parse::<PersonId>() {
        Ok(person) => person,
        Err(_unusual_name) => numbered.parse::<PersonId>()?,
    };
    Ok(Caller {
        actor: Actor::Person(person),
        evidence: Evidence::PeerCredential { uid: peer.uid, user },
    })
}

/// The name of a user in the form of passwd(5).
fn name_of(passwd: &str, uid: u32) -> Option<String> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let number: u32 = match fields.nth(1)?.parse() {
            Ok(number) => number,
            Err(_not_a_number) => return None,
        };
        (number == uid && !name.is_empty()).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_number() {
        let passwd =
            "root:x:0:0::/root:/bin/sh\nbroken\nasha:x:1000:1000:Asha:/home/asha:/bin/sh\n";
        assert_eq!(name_of(passwd, 1000).as_deref(), Some("asha"));
        assert_eq!(name_of(passwd, 0).as_deref(), Some("root"));
        assert_eq!(name_of(passwd, 7), None);
    }
}
