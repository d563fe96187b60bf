//! The OpenAPI document, written by hand and held against the table of routes by a test.

/// OpenAPI 3.1, as JSON.
pub(crate) const DOCUMENT: &str = include_str!("openapi.json");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{act::JSON_BYTES_MAX, routes::ROUTES, settings::AdminSettings, tokens::Tokens};
    use serde_json::Value;
    use std::collections::BTreeSet;

    const METHODS: [&str; 4] = ["get", "put", "post", "delete"];

    fn document() -> Value {
        serde_json::from_str(DOCUMENT).unwrap()
    }

    #[test]
    fn every_route_is_in_the_document_and_nothing_else() {
        let document = document();
        let told: BTreeSet<(String, String)> = document["paths"]
            .as_object()
            .unwrap()
            .iter()
            .flat_map(|(path, item)| {
                let methods =
                    item.as_object().unwrap().keys().filter(|key| METHODS.contains(&key.as_str()));
                methods.map(|method| (path.clone(), method.to_uppercase())).collect::<Vec<_>>()
            })
            .collect();
        let served: BTreeSet<(String, String)> =
            ROUTES.iter().map(|route| (route.path.to_owned(), route.method.to_string())).collect();
        assert_eq!(told, served);
    }

    #[test]
    fn the_document_tells_the_scope_and_the_parameters_of_each_route() {
        let document = document();
        for route in &ROUTES {
            let item = &document["paths"][route.path];
            let operation = &item[route.method.as_str().to_lowercase()];
            let words = route.scope.map_or("public", |scope| scope.as_str());
            assert_eq!(operation["x-outpost-scope"], words, "{} {}", route.method, route.path);
            let answers = operation["responses"].as_object().unwrap();
            assert_eq!(answers.contains_key("401"), route.scope.is_some(), "{}", route.path);
            assert_eq!(operation["security"] == serde_json::json!([]), route.scope.is_none());
            let listed: Vec<&str> = [&item["parameters"], &operation["parameters"]]
                .iter()
                .flat_map(|list| list.as_array().into_iter().flatten())
                .filter_map(|parameter| parameter["$ref"].as_str()?.rsplit('/').next())
                .collect();
            let named =
                route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
            for name in named {
                assert!(listed.contains(&name), "{}: {listed:?}", route.path);
            }
        }
    }

    #[test]
    fn the_limits_in_the_document_are_the_real_ones() {
        let settings = AdminSettings::new("unix:s".parse().unwrap(), Tokens::default());
        for bytes in [JSON_BYTES_MAX, settings.package_bytes] {
            assert!(DOCUMENT.contains(&format!("{bytes} bytes")), "{bytes}");
        }
    }
}
