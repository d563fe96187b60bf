//! Signatures: what is signed, by whom, and what a changed byte does.

use engine::{KeyError, Package, PackageError, PublicKey, SecretKey, SignatureError, verify};
use wasm_encoder::{ComponentSection as _, CustomSection};

use crate::guests::{Guest, manifest, with_manifest};

fn unsigned() -> Package {
    let bytes = with_manifest(Guest::default().component(), &manifest().to_json());
    Package::parse(bytes).unwrap()
}

fn parse(bytes: Vec<u8>) -> Package {
    Package::parse(bytes).unwrap()
}

fn with_section(mut bytes: Vec<u8>, name: &str, data: &[u8]) -> Vec<u8> {
    CustomSection { name: name.into(), data: data.into() }.append_to_component(&mut bytes);
    bytes
}

#[test]
fn a_signature_is_of_all_bytes_before_it() {
    let key = SecretKey::generate().unwrap();
    let keys = [key.public()];
    let package = unsigned();
    assert_eq!(verify(&package, None, &keys), Err(SignatureError::Unsigned));
    let plain = package.bytes().to_vec();
    let signed = parse(key.attach(package));
    assert_eq!(signed.signed_bytes(), plain);
    assert_eq!(verify(&signed, None, &keys), Ok(&keys[0]));
    assert_eq!(key.attach(signed.clone()), signed.bytes(), "once is enough");

    for at in 8..signed.bytes().len() {
        let mut changed = signed.bytes().to_vec();
        changed[at] ^= 1;
        if let Ok(package) = Package::parse(changed) {
            assert!(verify(&package, None, &keys).is_err(), "byte {at}");
        }
    }
}

#[test]
fn a_detached_signature_is_of_the_whole_file() {
    let key = SecretKey::generate().unwrap();
    let keys = [key.public()];
    let package = unsigned();
    let signature = key.sign(package.bytes());
    assert_eq!(verify(&package, Some(&signature), &keys), Ok(&keys[0]));
    let short = verify(&package, Some(&signature[1..]), &keys);
    assert_eq!(short, Err(SignatureError::Detached { bytes: 63 }));
    let longer = parse(with_section(package.into_bytes(), "more", b""));
    let stale = verify(&longer, Some(&signature), &keys);
    assert_eq!(stale, Err(SignatureError::Untrusted { keys: 1 }));
}

#[test]
fn keys_are_rotated_with_two_signatures() {
    let (old, new) = (SecretKey::generate().unwrap(), SecretKey::generate().unwrap());
    let stranger = SecretKey::generate().unwrap().public();
    let both = parse(new.attach(parse(old.attach(unsigned()))));
    assert_eq!(both.signatures().len(), 2);
    for key in [old.public(), new.public()] {
        let keys = [stranger.clone(), key.clone()];
        assert_eq!(verify(&both, None, &keys), Ok(&key));
    }
    let untrusted = verify(&both, None, std::slice::from_ref(&stranger));
    assert_eq!(untrusted, Err(SignatureError::Untrusted { keys: 1 }));
    assert_eq!(verify(&both, None, &[]), Err(SignatureError::Untrusted { keys: 0 }));
}

#[test]
fn what_nobody_signed_is_not_let_in_behind_a_signature() {
    let signed = SecretKey::generate().unwrap().attach(unsigned());
    let more = with_section(signed.clone(), "more", b"");
    assert!(matches!(Package::parse(more), Err(PackageError::BehindSignature)));
    let short = with_section(signed.clone(), engine::SIGNATURE_SECTION, &[0; 63]);
    assert!(matches!(Package::parse(short), Err(PackageError::Signature)));
    let mut many = signed;
    for _ in 1..engine::SIGNATURES {
        many = with_section(many, engine::SIGNATURE_SECTION, &[0; 64]);
    }
    assert_eq!(parse(many.clone()).signatures().len(), engine::SIGNATURES);
    many = with_section(many, engine::SIGNATURE_SECTION, &[0; 64]);
    assert!(matches!(Package::parse(many), Err(PackageError::Signatures { count: 9, limit: 8 })));
}

#[test]
fn keys_go_through_pem_and_are_never_printed() {
    let key = SecretKey::generate().unwrap();
    let pem = key.with_pem(str::to_owned).unwrap();
    assert!(pem.starts_with("-----BEGIN PRIVATE KEY-----"), "{pem}");
    assert_eq!(SecretKey::from_pem(&pem).unwrap().public(), key.public());
    let public = key.public().to_pem().unwrap();
    assert_eq!(PublicKey::from_pem(&public).unwrap(), key.public());
    assert_eq!(format!("{key:?}"), format!("SecretKey({})", key.public()));
    assert_eq!(key.public().to_string().len(), 16);
    assert!(matches!(PublicKey::from_pem(&pem), Err(KeyError::Public(_))));
    assert!(matches!(SecretKey::from_pem(&public), Err(KeyError::Secret(_))));
    // The neutral element of the curve: any message has a signature for it.
    let weak = "-----BEGIN PUBLIC KEY-----\n\
        MCowBQYDK2VwAyEAAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\
        -----END PUBLIC KEY-----\n";
    assert!(matches!(PublicKey::from_pem(weak), Err(KeyError::Weak)));
}
