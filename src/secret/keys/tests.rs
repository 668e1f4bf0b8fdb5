//! Tests of the server's keys.

use super::*;

const AT: Timestamp = Timestamp(1000);

fn code() -> UserCode {
    UserCode::parse("BCDF-WXZJ").unwrap()
}

fn rotated(ring: &KeyRing, from: i64) -> KeyRing {
    ring.rotated(Timestamp(from), Timestamp(from), |_| true)
        .unwrap()
}

#[test]
fn a_ring_is_the_same_after_writing_and_reading_and_hides_its_keys() {
    let ring = rotated(&KeyRing::generate().unwrap(), 500);
    let text = ring.to_text().unwrap();
    let read = KeyRing::parse(&text).unwrap();
    assert_eq!(read.to_text().unwrap(), text);
    assert_eq!(
        (read.fingerprint(), read.hash(&code(), AT)),
        (ring.fingerprint(), ring.hash(&code(), AT))
    );
    assert_eq!(
        format!("{ring:?} {:?}", ring.hash(&code(), AT)),
        "KeyRing(…) UserCodeHash(…)"
    );
    assert_ne!(
        KeyRing::generate().unwrap().fingerprint(),
        KeyRing::generate().unwrap().fingerprint()
    );
}

/// Fields that a later version adds to the file survive this version.
#[test]
fn unknown_fields_of_the_file_are_kept() {
    let mut ring = KeyRing::generate().unwrap();
    ring.rest
        .insert("signing".into(), serde_json::json!([{"kid": "1"}]));
    let read = KeyRing::parse(&ring.to_text().unwrap()).unwrap();
    assert!(
        rotated(&read, 5)
            .to_text()
            .unwrap()
            .contains("\"kid\": \"1\"")
    );
}

#[test]
fn a_damaged_file_is_refused_wherever_it_is_damaged() {
    let text = KeyRing::generate().unwrap().to_text().unwrap();
    for at in 0..text.len() - 1 {
        assert!(KeyRing::parse(&text[..at]).is_err(), "cut off after {at}");
        let mut other = text.clone().into_bytes();
        other[at] = if other[at] == b'7' { b'8' } else { b'7' };
        assert!(
            KeyRing::parse(std::str::from_utf8(&other).unwrap()).is_err(),
            "another byte at {at}"
        );
    }
    let newer = text.replace("\"rejoin_keys\": 1", "\"rejoin_keys\": 2");
    assert!(
        KeyRing::parse(&newer)
            .unwrap_err()
            .contains("newer version of rejoin")
    );
    for other in ["", "{}", "[]", "null", "{\"keys\":[]}"] {
        assert!(KeyRing::parse(other).is_err(), "{other}");
    }
}

#[test]
fn the_next_key_comes_into_use_in_time_and_earlier_keys_stay_while_they_are_needed() {
    let one = KeyRing::generate().unwrap();
    let two = one
        .rotated(Timestamp(900), Timestamp(800), |_| false)
        .unwrap();
    assert_eq!(two.hash(&code(), Timestamp(899)), one.hash(&code(), AT));
    assert_ne!(two.hash(&code(), Timestamp(900)), one.hash(&code(), AT));
    assert!(
        two.hashes(&code()).contains(&one.hash(&code(), AT)),
        "a code from before the rotation is still found"
    );
    let first = one.current(AT).clone();
    assert!(two.pair(&first, "rjr_x").is_some());
    let three = two
        .rotated(Timestamp(1000), Timestamp(950), |_| false)
        .unwrap();
    assert!(
        three.pair(&first, "rjr_x").is_none(),
        "nothing depends on it any more"
    );
    let kept = two
        .rotated(Timestamp(1000), Timestamp(950), |id| *id == first)
        .unwrap();
    assert!(kept.pair(&first, "rjr_x").is_some());
    let mut many = one;
    for n in 1..MAX_KEYS {
        many = rotated(&many, n as i64);
    }
    assert!(many.rotated(AT, AT, |_| true).is_err());
}

#[test]
fn a_pair_depends_on_the_key_and_the_token_and_neither_half_reveals_the_other() {
    let (ring, other) = (KeyRing::generate().unwrap(), KeyRing::generate().unwrap());
    let pair = |ring: &KeyRing, token: &str| ring.pair(ring.current(AT), token).unwrap();
    let first = pair(&ring, "rjr_one");
    assert_eq!(first.hashes(), pair(&ring, "rjr_one").hashes());
    assert_ne!(first.hashes(), pair(&ring, "rjr_two").hashes());
    assert_ne!(first.hashes(), pair(&other, "rjr_one").hashes());
    assert!(
        first.access.reveal().starts_with("rja_") && first.refresh.reveal().starts_with("rjr_")
    );
    assert_ne!(first.access.reveal()[4..], first.refresh.reveal()[4..]);
    assert_eq!(first.access.reveal().len(), 47);
}

/// The example is from RFC 4231 §4.3.
#[test]
fn the_hash_is_hmac_sha_256() {
    let hash = keyed(b"Jefe")
        .unwrap()
        .chain_update("what do ya want for nothing?")
        .finalize()
        .into_bytes();
    let hex = hash
        .iter()
        .fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    assert_eq!(
        hex,
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    );
}
