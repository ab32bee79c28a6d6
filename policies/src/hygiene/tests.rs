use super::vectors::{close_modulus, number, prime, roca_modulus, rsa, sound_modulus, without_small_factors};
use super::*;
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::signature::KeyPair;
use num_bigint::BigUint;

fn check(key: &PublicKey) -> Result<(), KeyRejection> {
    check_key(key, &Blocklist::embedded())
}

#[test]
fn rsa_weaknesses() {
    let sound = sound_modulus("sound", 2048);
    let with_factor = |factor: u32| {
        let cofactor = prime("cofactor", 2048 - u64::from(factor.ilog2()) - 1);
        cofactor * factor
    };
    let (small, large) = (with_factor(3), with_factor(751));
    let half = prime("far", 1024) + (BigUint::from(1_u32) << 900);
    let far = prime("far", 1024) * without_small_factors(half, &BigUint::from(2_u32));
    let rows = [
        ("sound", rsa(&sound), None),
        ("sound, 3072 bits", rsa(&sound_modulus("s", 3072)), None),
        ("sound, 4096 bits", rsa(&sound_modulus("s", 4096)), None),
        ("sound, 2056 bits", rsa(&sound_modulus("s", 2056)), None),
        (
            "1024 bits",
            rsa(&sound_modulus("s", 1024)),
            Some(KeyRejection::RsaSize(1024)),
        ),
        (
            "2046 bits",
            rsa(&sound_modulus("s", 2046)),
            Some(KeyRejection::RsaSize(2046)),
        ),
        (
            "2050 bits",
            rsa(&sound_modulus("s", 2050)),
            Some(KeyRejection::RsaSize(2050)),
        ),
        ("even", rsa(&(&sound - 1_u32)), Some(KeyRejection::RsaSmallFactor)),
        ("divisible by 3", rsa(&small), Some(KeyRejection::RsaSmallFactor)),
        (
            "divisible by 751",
            rsa(&large),
            Some(KeyRejection::RsaSmallFactor),
        ),
        (
            "ROCA",
            rsa(&roca_modulus("roca", 2048)),
            Some(KeyRejection::RsaRoca),
        ),
        (
            "ROCA, 4096 bits",
            rsa(&roca_modulus("roca", 4096)),
            Some(KeyRejection::RsaRoca),
        ),
        (
            "close primes",
            rsa(&close_modulus("close", 2048)),
            Some(KeyRejection::RsaClosePrimes),
        ),
        (
            "close primes, 4096 bits",
            rsa(&close_modulus("close", 4096)),
            Some(KeyRejection::RsaClosePrimes),
        ),
        (
            "a square",
            rsa(&(prime("p", 1024) * prime("p", 1024))),
            Some(KeyRejection::RsaClosePrimes),
        ),
        ("primes with a common half", rsa(&far), None),
    ];
    for (name, key, expected) in rows {
        assert_eq!(check(&key).err(), expected, "{name}");
    }
}

#[test]
fn bounds_of_the_size() {
    for (bits, expected) in [
        (2040, false),
        (2047, false),
        (2048, true),
        (2049, false),
        (8192, true),
        (8200, false),
    ] {
        assert_eq!(size::is_allowed(bits), expected, "{bits}");
    }
}

#[test]
fn exponents() {
    let modulus = sound_modulus("sound", 2048).to_bytes_be();
    let rows: [(&str, &[u8], bool); 5] = [
        ("3", &[3], false),
        ("17", &[17], false),
        ("65535", &[0xff, 0xff], false),
        ("65537", &[1, 0, 1], true),
        ("2^32 + 1", &[1, 0, 0, 0, 1], false),
    ];
    for (name, exponent, expected) in rows {
        let key = PublicKey::from_rsa(&modulus, exponent).expect("key");
        let rejection = (!expected).then_some(KeyRejection::RsaExponent);
        assert_eq!(check(&key).err(), rejection, "{name}");
    }
}

/// How close is close: the factors differ by so many bits, and Fermat's method needs (difference^2) / (8 * sqrt(n))
/// steps, so up to half of the bits of a prime plus a few it is found at once.
#[test]
fn reach_of_fermat() {
    let p = prime("reach", 1024);
    for (difference_bits, found) in [
        (8, true),
        (256, true),
        (512, true),
        (515, true),
        (530, false),
        (1000, false),
    ] {
        let q = &p + number("difference", difference_bits) * 2_u32;
        assert_eq!(
            close_primes::factor(&(&p * q).to_bytes_be()),
            found,
            "{difference_bits} bits"
        );
    }
}

#[test]
fn generated_keys_pass() {
    for size in [aws_lc_rs::rsa::KeySize::Rsa2048, aws_lc_rs::rsa::KeySize::Rsa3072] {
        let pair = aws_lc_rs::rsa::KeyPair::generate(size).expect("key pair");
        let der: PublicKeyX509Der<'_> = pair.public_key().as_der().expect("encoded key");
        assert_eq!(check(&PublicKey::from_der(der.as_ref()).expect("key")), Ok(()));
    }
    let pair = aws_lc_rs::signature::Ed25519KeyPair::generate().expect("key pair");
    assert_eq!(
        check(&PublicKey::from_ed25519(pair.public_key().as_ref()).expect("key")),
        Ok(())
    );
}

#[test]
fn other_keys() {
    let x25519 = [
        &hex::decode("302a300506032b656e032100").expect("hex")[..],
        &[9; 32],
    ]
    .concat();
    let x25519 = PublicKey::from_der(&x25519).expect("key");
    assert_eq!(check(&x25519), Err(KeyRejection::Algorithm("unsupported".into())));
    let everybodys = PublicKey::from_ed25519(&[0; 32]).expect("key");
    assert_eq!(check(&everybodys), Err(KeyRejection::Blocked));
    assert_eq!(check_key(&everybodys, &Blocklist::empty()), Ok(()));
}

/// Prints what one check costs; run with `--release --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
#[allow(clippy::print_stdout)]
fn cost() {
    let list = Blocklist::embedded();
    for bits in [2048, 3072, 4096, 8192] {
        let key = rsa(&sound_modulus("cost", bits));
        let rounds = 200;
        let start = std::time::Instant::now();
        for _ in 0..rounds {
            assert_eq!(check_key(std::hint::black_box(&key), &list), Ok(()));
        }
        println!("RSA-{bits}: {:?} per check", start.elapsed() / rounds);
    }
}
