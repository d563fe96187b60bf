//! Files that are packages, and files that are not.

use engine::{Package, PackageError};

use crate::guests::{Guest, manifest, with_manifest};

#[test]
fn a_package_tells_its_manifest_and_digest() {
    let bytes = with_manifest(Guest::default().component(), &manifest().to_json());
    let package = Package::parse(bytes.clone()).unwrap();
    assert_eq!(package.manifest(), &manifest());
    assert_eq!(package.bytes(), bytes);
    let shown = package.digest().to_string();
    assert_eq!(shown.len(), "sha256:".len() + 64);
    assert!(shown.starts_with("sha256:"));
    let mut other = bytes;
    let last = other.len() - 1;
    other[last] = b' ';
    assert!(matches!(Package::parse(other), Err(PackageError::Manifest(_))));
}

#[test]
fn the_digest_is_sha_256() {
    assert_eq!(
        engine::Digest([0xab; 32]).to_string(),
        format!("sha256:{}", "ab".repeat(32)),
        "hex, lower case"
    );
}

#[test]
fn what_is_no_package_says_why() {
    let component = Guest::default().component();
    let parse = |bytes: &[u8]| Package::parse(bytes.to_vec()).unwrap_err();
    assert!(matches!(parse(b""), PackageError::NotWasm));
    assert!(matches!(parse(b"PK\x03\x04"), PackageError::NotWasm));
    assert!(matches!(parse(b"\0asm"), PackageError::Damaged(_)));
    assert!(matches!(parse(b"\0asm\x01\0\0\0"), PackageError::CoreModule));
    assert!(matches!(parse(b"\0asm\x07\0\x09\0"), PackageError::Layer));
    assert!(matches!(parse(&component), PackageError::NoManifest));
    assert!(matches!(parse(&component[..component.len() - 3]), PackageError::Damaged(_)));
    let json = manifest().to_json();
    let once = with_manifest(component.clone(), &json);
    assert!(matches!(parse(&with_manifest(once, &json)), PackageError::TwoManifests));
    let newer = String::from_utf8(json).unwrap().replacen("\"format\": 1", "\"format\": 2", 1);
    let error = parse(&with_manifest(component, newer.as_bytes()));
    let PackageError::Manifest(source) = error else { panic!("{error:?}") };
    assert!(source.to_string().contains("format 2"), "{source}");
}

#[test]
fn every_cut_and_every_flipped_byte_gives_an_error_or_a_package() {
    let bytes = with_manifest(Guest::default().component(), &manifest().to_json());
    for end in 0..bytes.len() {
        assert!(Package::parse(bytes[..end].to_vec()).is_err(), "cut at {end}");
    }
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0xff;
        // Not to panic is all that is asked: a flip inside of the code shows only when it is loaded.
        drop(Package::parse(flipped));
    }
}

#[test]
fn a_file_larger_than_the_limit_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.wasm");
    let file = std::fs::File::create(&path).unwrap();
    file.set_len(engine::PACKAGE_BYTES + 1).unwrap();
    assert!(matches!(Package::open(&path), Err(PackageError::TooLarge { .. })));
    file.set_len(engine::PACKAGE_BYTES).unwrap();
    assert!(matches!(Package::open(&path), Err(PackageError::NotWasm)));
    let missing = Package::open(&folder.path().join("missing.wasm")).unwrap_err();
    assert!(missing.to_string().contains("missing.wasm"));
}
