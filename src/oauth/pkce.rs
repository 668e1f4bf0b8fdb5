//! Proof Key for Code Exchange (RFC 7636), with the method S256 alone.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{
    error::{Error, Result},
    secret::sha256,
};

/// The S256 challenge of a verifier (RFC 7636 §4.2). A malformed verifier gives the empty string,
/// which matches no challenge.
pub fn challenge_of(verifier: &str) -> String {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if !(43..=128).contains(&verifier.len()) || !verifier.bytes().all(unreserved) {
        return String::new();
    }
    URL_SAFE_NO_PAD.encode(sha256(verifier.as_bytes()))
}

/// Fails with `malformed_request` unless this is an S256 challenge: 256 bits in base64url.
pub fn require_challenge(challenge: &str) -> Result<()> {
    let bits = URL_SAFE_NO_PAD
        .decode(challenge)
        .is_ok_and(|bits| bits.len() == 32);
    if bits {
        Ok(())
    } else {
        Err(Error::malformed(
            "the code_challenge must be that of S256: 43 characters of base64url",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verifier_is_hashed_as_the_rfc_does_it() {
        // RFC 7636 appendix B.
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(
            challenge_of(verifier),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
        require_challenge(&challenge_of(verifier)).unwrap();
        for bad in [
            "",
            "short",
            &"x".repeat(42),
            &"x".repeat(129),
            &format!("{} ", "x".repeat(43)),
        ] {
            assert_eq!(challenge_of(bad), "", "{bad:?}");
            require_challenge(bad).unwrap_err();
        }
    }
}
