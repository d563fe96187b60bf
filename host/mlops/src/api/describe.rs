//! What a handler's types say of its call: its query, its body, its answer. The document is made of it, so that a call
//! cannot answer something else than the document says.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use schemars::generate::SchemaSettings;
use schemars::transform::transform_subschemas;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::artefacts::WholeFile;
use super::entries::Raw;
use super::here::Here;
use super::jobs::{Done, Finished, Led};
use super::shape::{Body, Queried};
use super::{App, Fault};

/// Where the document has the schemas of what is answered.
const SCHEMAS: &str = "/components/schemas";

/// Makes schemas. What clients send has fields that may be left out, and the same type answered has all of them: these
/// are two schemas, and those of what is sent stand where they are used.
#[derive(Debug)]
pub(super) struct Schemas {
    answered: SchemaGenerator,
    sent: SchemaGenerator,
}

impl Schemas {
    pub(super) fn new() -> Self {
        let settings = || {
            SchemaSettings::draft2020_12().with_transform(in_words).with(|settings| {
                settings.definitions_path = SCHEMAS.into();
                settings.meta_schema = None;
            })
        };
        let sent = settings().with(|settings| settings.inline_subschemas = true);
        Self {
            answered: settings().for_serialize().into_generator(),
            sent: sent.for_deserialize().into_generator(),
        }
    }

    /// The schema of something that is answered.
    pub(super) fn answered<T: JsonSchema>(&mut self) -> Value {
        self.answered.subschema_for::<T>().into()
    }

    fn sent<T: JsonSchema>(&mut self) -> Value {
        self.sent.root_schema_for::<T>().into()
    }

    /// The schemas that others refer to, by name.
    pub(super) fn named(mut self) -> Map<String, Value> {
        self.answered.take_definitions(true)
    }
}

/// A description as readers of a document want it: without the ends of lines in the source, and without links into it.
fn in_words(schema: &mut Schema) {
    if let Some(Value::String(words)) = schema.get_mut("description") {
        let paragraphs = words.split("\n\n").map(|text| text.replace('\n', " "));
        *words = paragraphs.collect::<Vec<_>>().join("\n\n").replace("[`", "`").replace("`]", "`");
    }
    transform_subschemas(&mut in_words, schema);
}

/// What a call takes and answers.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// The parameters of its query.
    pub(super) query: Vec<Value>,
    /// What is sent.
    pub(super) body: Option<Sent>,
    /// What is answered when it is done, by media type.
    pub(super) answer: Option<Value>,
}

/// What is sent with a call.
#[derive(Debug)]
pub(super) enum Sent {
    /// JSON of this schema.
    Json(Value),
    /// A file, or a form with one.
    File,
}

/// A function that answers a call.
pub(super) trait Handler<Arguments> {
    /// What its types say.
    fn tell(schemas: &mut Schemas) -> Told;
}

macro_rules! handlers {
    ($($argument:ident),*) => {
        impl<F, Answers, $($argument),*> Handler<($($argument,)*)> for F
        where
            F: Fn($($argument),*) -> Answers,
            Answers: Future,
            Answers::Output: Answer,
            $($argument: Argument,)*
        {
            fn tell(schemas: &mut Schemas) -> Told {
                let mut told = Told::default();
                $($argument::note(&mut told, schemas);)*
                told.answer = Answers::Output::content(schemas);
                told
            }
        }
    };
}
handlers!();
handlers!(A);
handlers!(A, B);
handlers!(A, B, C);
handlers!(A, B, C, D);
handlers!(A, B, C, D, E);

/// Something that a handler is given.
pub(super) trait Argument {
    /// Notes what it says of the call.
    fn note(_told: &mut Told, _schemas: &mut Schemas) {}
}

impl Argument for State<Arc<App>> {}
impl Argument for Here {}
/// The path says itself what is in it.
impl<T> Argument for Path<T> {}

impl<T: JsonSchema> Argument for Queried<T> {
    fn note(told: &mut Told, schemas: &mut Schemas) {
        let schema = schemas.sent::<T>();
        let required = |name: &String| {
            schema["required"].as_array().is_some_and(|all| all.iter().any(|it| *it == **name))
        };
        let fields = schema["properties"].as_object();
        told.query.extend(fields.into_iter().flatten().map(|(name, field)| {
            let mut field = without_null(field);
            let mut parameter = json!({"name": name, "in": "query", "required": required(name)});
            if let Some(words) = field.as_object_mut().and_then(|it| it.remove("description")) {
                parameter["description"] = words;
            }
            parameter["schema"] = field;
            parameter
        }));
    }
}

/// A parameter that is not there is not null.
fn without_null(field: &Value) -> Value {
    let mut field = field.clone();
    let Some(keys) = field.as_object_mut() else { return field };
    if keys.get("default").is_some_and(Value::is_null) {
        keys.remove("default");
    }
    for key in ["type", "enum"] {
        if let Some(Value::Array(all)) = keys.get_mut(key) {
            all.retain(|one| !one.is_null() && one != "null");
            if let ("type", [one]) = (key, all.as_slice()) {
                let one = one.clone();
                keys.insert(key.to_owned(), one);
            }
        }
    }
    if let Some(Value::Array(all)) = keys.get_mut("anyOf") {
        all.retain(|one| one["type"] != "null");
    }
    field
}

impl<T: JsonSchema> Argument for Body<T> {
    fn note(told: &mut Told, schemas: &mut Schemas) {
        told.body = Some(Sent::Json(schemas.sent::<T>()));
    }
}

impl<T: JsonSchema> Argument for Raw<T> {
    fn note(told: &mut Told, schemas: &mut Schemas) {
        told.body = Some(Sent::Json(schemas.sent::<T>()));
    }
}

impl Argument for Request {
    fn note(told: &mut Told, _schemas: &mut Schemas) {
        told.body = Some(Sent::File);
    }
}

/// What a handler gives.
pub(super) trait Answer {
    /// What it is, by media type; none without a body.
    fn content(schemas: &mut Schemas) -> Option<Value>;
}

impl<T: Answer> Answer for Result<T, Fault> {
    fn content(schemas: &mut Schemas) -> Option<Value> {
        T::content(schemas)
    }
}

impl<T: JsonSchema> Answer for Json<T> {
    fn content(schemas: &mut Schemas) -> Option<Value> {
        Some(json!({"application/json": {"schema": schemas.answered::<T>()}}))
    }
}

impl<T: JsonSchema> Answer for (StatusCode, Json<T>) {
    fn content(schemas: &mut Schemas) -> Option<Value> {
        Json::<T>::content(schemas)
    }
}

impl<T: JsonSchema> Answer for Done<T> {
    fn content(schemas: &mut Schemas) -> Option<Value> {
        Json::<T>::content(schemas)
    }
}

impl Answer for Led {
    fn content(schemas: &mut Schemas) -> Option<Value> {
        Json::<Finished>::content(schemas)
    }
}

impl Answer for StatusCode {
    fn content(_schemas: &mut Schemas) -> Option<Value> {
        None
    }
}

impl Answer for WholeFile {
    fn content(_schemas: &mut Schemas) -> Option<Value> {
        Some(json!({"application/wasm": {}}))
    }
}
