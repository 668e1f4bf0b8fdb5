//! Argon2id as PHC strings: hashing a password, and verifying one.

use argon2::{Algorithm, Argon2, Block, Params, PasswordHash, Version, password_hash::phc};

use crate::{
    error::{Error, Result},
    model::{HashedPassword, Password},
    secret,
};

/// The length of a hash in bytes.
pub const HASH_BYTES: usize = 32;

/// The parameters of new hashes: 19 MiB, two passes, one lane (OWASP's recommendation for
/// Argon2id).
pub fn current_params() -> Params {
    Params::new(19 * 1024, 2, 1, Some(HASH_BYTES)).expect("these parameters are valid")
}

/// The result of a verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The password is wrong, or there is no stored hash.
    Wrong,
    /// The password is right.
    Right,
    /// The password is right, but its hash should be replaced: it was made with outdated
    /// parameters, or of the password as it was typed instead of its normal form.
    RightButOutdated,
}

/// Hashes a password in its normal form with today's parameters. `memory` is kept for reuse.
pub fn hash(password: &Password, memory: &mut Vec<Block>) -> Result<HashedPassword> {
    let params = current_params();
    let prepared = password.prepared();
    let password = prepared.as_ref().unwrap_or(password);
    let salt = phc::Salt::new(&secret::random::<16>()?).map_err(Error::internal)?;
    let output = derive(password, &salt, &params, HASH_BYTES, memory)?;
    let phc = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: (&params).try_into().map_err(Error::internal)?,
        salt: Some(salt),
        hash: Some(output),
    };
    Ok(HashedPassword::from_phc(phc.to_string()))
}

/// Verifies a password against a stored hash: in its normal form and then, where that differs, as
/// it was given.
pub fn verify(
    password: &Password,
    stored: &HashedPassword,
    memory: &mut Vec<Block>,
) -> Result<Verdict> {
    let stored = PasswordHash::new(stored.as_phc()).map_err(Error::internal)?;
    let params = Params::try_from(&stored).map_err(Error::internal)?;
    let (Some(salt), Some(expected)) = (stored.salt, stored.hash) else {
        return Err(Error::internal(
            "a stored password hash has no salt or no hash",
        ));
    };
    let prepared = password.prepared();
    let as_given = (prepared.as_ref() != Some(password)).then_some(password);
    let mut is_right = |form: &Password| {
        // `Output` compares in constant time.
        derive(form, &salt, &params, expected.len(), memory).map(|output| output == expected)
    };
    let now = current_params();
    let current = (params.m_cost(), params.t_cost(), params.p_cost())
        == (now.m_cost(), now.t_cost(), now.p_cost());
    for (form, is_kept) in prepared
        .iter()
        .map(|form| (form, true))
        .chain(as_given.map(|form| (form, prepared.is_none())))
    {
        if is_right(form)? {
            return Ok(if current && is_kept {
                Verdict::Right
            } else {
                Verdict::RightButOutdated
            });
        }
    }
    Ok(Verdict::Wrong)
}

/// Computes the `length` bytes that a password hashes to.
pub fn derive(
    password: &Password,
    salt: &phc::Salt,
    params: &Params,
    length: usize,
    memory: &mut Vec<Block>,
) -> Result<phc::Output> {
    if memory.len() < params.block_count() {
        memory.resize(params.block_count(), Block::default());
    }
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
    let mut output = vec![0; length];
    argon2
        .hash_password_into_with_memory(
            password.reveal().as_bytes(),
            salt.as_ref(),
            &mut output,
            memory,
        )
        .map_err(Error::internal)?;
    phc::Output::new(&output).map_err(Error::internal)
}
