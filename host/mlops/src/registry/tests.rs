//! The registry on both databases: what it takes, what it refuses and why, and that it is the same after a restart.

mod datasets;
mod deployments;
mod packages;

use std::sync::Arc;

use models::manifest::Manifest;
use models::train::{Algorithm, CsvOptions, Settings as Training, Table, train};
use serde_json::{Value, json};

use super::*;
use crate::testing::{Database, on_both};

/// The data that the README trains on.
const DIABETES: &[u8] = include_bytes!("../../../../models/diabetes/diabetes.csv");

/// A registry and its database.
struct World {
    database: Database,
    registry: Registry,
}

impl World {
    async fn new(database: Database) -> Self {
        let store = Store::open(database.address()).await.unwrap();
        let registry = Registry::open(store).await.unwrap();
        Self { database, registry }
    }

    async fn restart(&mut self) {
        self.registry.store().pool().close().await;
        let store = Store::open(self.database.address()).await.unwrap();
        self.registry = Registry::open(store).await.unwrap();
    }

    /// An external model, with what is said beside its name and target.
    async fn external(&self, more: Value) -> Result<Arc<Package>, RegistryError> {
        let mut given = json!({"name": "elsewhere", "target": {"name": "Y", "type": "Regression"}});
        for (key, value) in more.as_object().unwrap() {
            given[key] = value.clone();
        }
        self.registry.add_external(serde_json::from_value(given).unwrap()).await
    }

    /// A deployment of it.
    async fn deployed(&self, id: &str) -> (Arc<Package>, Arc<Known>) {
        let package = self.external(json!({})).await.unwrap();
        (Arc::clone(&package), self.deploy(id, &package.id).await.unwrap())
    }

    async fn deploy(&self, id: &str, package: &str) -> Result<Arc<Known>, RegistryError> {
        let given = json!({"id": id, "label": "a label", "modelPackageId": package});
        self.registry.deploy(serde_json::from_value(given).unwrap()).await
    }

    async fn change(&self, id: &str, patch: Value) -> Result<Settings, RegistryError> {
        let patch = serde_json::from_value(patch).unwrap();
        self.registry.change_settings(id, patch).await
    }
}

/// The trainer's manifest for the diabetes data.
fn trained(version: &str) -> Manifest {
    let options = CsvOptions::default();
    let table = Table::read_csv(DIABETES, &options).unwrap();
    let settings = Training {
        algorithm: Some(Algorithm::Ridge),
        version: version.to_owned(),
        ..Training::new("Y", "diabetes")
    };
    train(&table, &settings, &mut |_| {}).unwrap().manifest
}

/// A component that is nothing but custom sections.
fn component(sections: &[(&str, &[u8])]) -> Vec<u8> {
    let number = |mut value: usize| {
        let mut bytes = Vec::new();
        loop {
            let byte = (value & 0x7f) as u8;
            value >>= 7;
            bytes.push(if value > 0 { byte | 0x80 } else { byte });
            if value == 0 {
                return bytes;
            }
        }
    };
    let mut bytes = b"\0asm\x0d\0\x01\0".to_vec();
    for (name, content) in sections {
        let mut section = number(name.len());
        section.extend(name.as_bytes());
        section.extend(*content);
        bytes.push(0);
        bytes.extend(number(section.len()));
        bytes.extend(section);
    }
    bytes
}

fn sealed(manifest: &Manifest) -> Vec<u8> {
    component(&[("name", b"\0\x02\x01a"), ("outpost:manifest", &manifest.to_json())])
}

#[track_caller]
fn field<T: std::fmt::Debug>(result: Result<T, RegistryError>) -> String {
    match result.unwrap_err() {
        RegistryError::Invalid { field, reason } => {
            assert!(!reason.is_empty());
            field.into()
        }
        other => panic!("{other} names no field"),
    }
}

#[track_caller]
fn is_missing<T: std::fmt::Debug>(result: Result<T, RegistryError>, kind: &str) {
    let error = result.unwrap_err();
    assert!(matches!(error, RegistryError::Missing { what, .. } if what == kind), "{error}");
}

#[track_caller]
fn conflict<T: std::fmt::Debug>(result: Result<T, RegistryError>) -> String {
    match result.unwrap_err() {
        RegistryError::Conflict(message) => message,
        other => panic!("{other} is no conflict"),
    }
}
