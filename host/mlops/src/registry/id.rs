//! Ids of things in the registry.

use uuid::Uuid;

/// A new id: 24 hex digits, the first eight of which are the seconds since 1970, so that ids sort by age. Clients of the
/// service that we stand in for expect this form.
pub fn new_id() -> String {
    let seconds = jiff::Timestamp::now().as_second();
    let random = Uuid::new_v4();
    let mut id = format!("{:08x}", seconds as u32);
    id.extend(random.as_bytes()[..8].iter().map(|byte| format!("{byte:02x}")));
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_24_hex_digits_and_differ() {
        let (one, other) = (new_id(), new_id());
        assert_eq!(one.len(), 24);
        assert!(one.bytes().all(|byte| byte.is_ascii_hexdigit()), "{one}");
        assert_ne!(one, other);
    }
}
