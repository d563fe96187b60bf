//! Monitoring jobs: rows that were scored elsewhere, with what the model said of them, from a CSV file into a deployment's
//! statistics.
//!
//! A file is cut into calls of ingest, always in the same places, and each has an id of its own: a file that is sent again
//! after a broken connection is counted once.

use csv::{Reader, StringRecord};
use models::schema::MISSING;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Rows in a call of ingest.
pub(crate) const ROWS_A_CALL: usize = 10_000;

/// What a job is to do.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "NewMonitoringJob")]
pub(crate) struct Job {
    /// Whose statistics.
    pub(crate) deployment_id: String,
    /// Where the rows come from.
    pub(crate) intake_settings: Intake,
    /// What the columns are.
    pub(crate) monitoring_columns: Columns,
    /// How the file is written.
    #[serde(default)]
    pub(crate) csv_settings: CsvSettings,
    /// Which model; the deployment's present one when it is not said.
    #[serde(default)]
    pub(crate) model_id: Option<String>,
    /// A batch is made for the rows, and its name begins so.
    #[serde(default)]
    pub(crate) monitoring_batch_prefix: Option<String>,
    /// What else was said, as it came.
    #[serde(flatten)]
    pub(crate) more: Map<String, Value>,
}

/// Where the rows come from.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", tag = "type")]
#[schemars(rename = "IntakeSettings")]
pub(crate) enum Intake {
    /// The client sends a file.
    LocalFile,
    /// A file that was uploaded before.
    #[serde(rename_all = "camelCase")]
    Dataset {
        /// Its id.
        dataset_id: String,
    },
}

/// What the columns are; all others are features.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "MonitoringColumns")]
pub(crate) struct Columns {
    /// What the model said.
    pub(crate) predictions_columns: Predictions,
    /// The key by which outcomes join.
    #[serde(default)]
    pub(crate) association_id_column: Option<String>,
    /// What happened.
    #[serde(default)]
    pub(crate) actuals_value_column: Option<String>,
    /// Whether somebody acted on the prediction.
    #[serde(default)]
    pub(crate) acted_upon_column: Option<String>,
    /// When it happened.
    #[serde(default)]
    pub(crate) actuals_timestamp_column: Option<String>,
}

/// What the model said.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(untagged, expecting = "must be a column's name, or a list of {className, columnName}")]
#[schemars(rename = "PredictionsColumns")]
pub(crate) enum Predictions {
    /// A number.
    Number(String),
    /// A probability for each class.
    Classes(Vec<Class>),
}

/// The column of a class's probability.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ClassColumn")]
pub(crate) struct Class {
    /// The class.
    class_name: String,
    /// The column.
    column_name: String,
}

/// How the file is written.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct CsvSettings {
    /// What is between columns.
    delimiter: char,
    /// What is around a text.
    quotechar: char,
    /// How its letters are written: `utf-8`.
    encoding: String,
}

impl Default for CsvSettings {
    fn default() -> Self {
        Self { delimiter: ',', quotechar: '"', encoding: "utf-8".to_owned() }
    }
}

/// A job that cannot be done, or a file that it cannot be done with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JobFault {
    /// A setting that cannot be.
    #[error("`{field}` {reason}")]
    Setting {
        /// The setting.
        field: &'static str,
        /// What it must be.
        reason: &'static str,
    },
    /// A column is not there.
    #[error("the file has no column {0:?}, which monitoringColumns names")]
    NoColumn(String),
    /// It is not CSV.
    #[error("the file is not CSV")]
    Csv(#[from] csv::Error),
}

impl Job {
    /// Says what is wrong with it before a file comes.
    pub(crate) fn check(&self) -> Result<(), JobFault> {
        let setting = |field, reason| Err(JobFault::Setting { field, reason });
        if matches!(&self.monitoring_columns.predictions_columns, Predictions::Classes(classes) if classes.is_empty())
        {
            return setting("monitoringColumns.predictionsColumns", "must name a column");
        }
        let columns = &self.monitoring_columns;
        if columns.actuals_value_column.is_some() && columns.association_id_column.is_none() {
            return setting(
                "monitoringColumns.associationIdColumn",
                "must be there when outcomes are: they join by it",
            );
        }
        let csv = &self.csv_settings;
        if !csv.delimiter.is_ascii() || !csv.quotechar.is_ascii() {
            return setting("csvSettings", "must have an ASCII delimiter and quotechar");
        }
        if !csv.encoding.eq_ignore_ascii_case("utf-8") && !csv.encoding.eq_ignore_ascii_case("utf8")
        {
            return setting("csvSettings.encoding", "must be utf-8");
        }
        Ok(())
    }
}

/// A part of a file, as calls of ingest.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    /// A body of `predictionInputs/fromJSON/`; none without a good row.
    pub(crate) inputs: Option<Vec<u8>>,
    /// A body of `actuals/fromJSON/`; none without an outcome.
    pub(crate) actuals: Option<Vec<u8>>,
    /// Rows in it that can be counted.
    pub(crate) rows: u64,
    /// Rows that cannot.
    pub(crate) failed: u64,
    /// What is wrong with the first of them.
    pub(crate) first_fault: Option<String>,
}

/// A file, cut into calls.
#[derive(Debug)]
pub(crate) struct File<'a> {
    job: &'a Job,
    id: &'a str,
    batch: Option<&'a str>,
    reader: Reader<&'a [u8]>,
    header: StringRecord,
    places: Places,
    calls: usize,
    bytes: usize,
}

/// Where the columns are.
#[derive(Debug)]
struct Places {
    predictions: Vec<usize>,
    association: Option<usize>,
    actual: Option<usize>,
    acted: Option<usize>,
    actual_time: Option<usize>,
    features: Vec<usize>,
}

impl<'a> File<'a> {
    /// Reads a file's header.
    pub(crate) fn open(
        job: &'a Job,
        id: &'a str,
        batch: Option<&'a str>,
        bytes: &'a [u8],
    ) -> Result<Self, JobFault> {
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let mut reader = csv::ReaderBuilder::new()
            .trim(csv::Trim::All)
            .flexible(true)
            // Both are ASCII: the job was checked.
            .delimiter(job.csv_settings.delimiter as u8)
            .quote(job.csv_settings.quotechar as u8)
            .from_reader(text);
        let header = reader.headers()?.clone();
        let places = Places::of(&job.monitoring_columns, &header)?;
        Ok(Self { job, id, batch, reader, header, places, calls: 0, bytes: text.len() })
    }

    /// How much of it was read, 0 to 100.
    pub(crate) fn percent(&self) -> u64 {
        self.reader.position().byte() * 100 / self.bytes.max(1) as u64
    }

    /// The next part; none at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Calls>, JobFault> {
        let mut calls = Calls::default();
        let mut rows = Vec::new();
        let mut seen = 0;
        let mut row = StringRecord::new();
        while seen < ROWS_A_CALL && self.reader.read_record(&mut row)? {
            seen += 1;
            match self.fault(&row) {
                None => rows.push(row.clone()),
                Some(fault) => {
                    calls.failed += 1;
                    let line = row.position().map_or(0, csv::Position::line);
                    calls.first_fault.get_or_insert_with(|| format!("line {line}: {fault}"));
                }
            }
        }
        if seen == 0 {
            return Ok(None);
        }
        calls.rows = rows.len() as u64;
        if !rows.is_empty() {
            calls.inputs = Some(self.inputs(&rows));
            calls.actuals = self.actuals(&rows);
        }
        self.calls += 1;
        Ok(Some(calls))
    }

    fn fault(&self, row: &StringRecord) -> Option<String> {
        if row.len() != self.header.len() {
            return Some(format!("it has {} columns, not {}", row.len(), self.header.len()));
        }
        let wrong = self.places.predictions.iter().find(|at| number(&row[**at]).is_none())?;
        Some(format!("{:?} must be a number", &self.header[*wrong]))
    }

    /// The same rows always have the same id, however often the file comes.
    fn record_id(&self) -> String {
        format!("{}-{}", self.id, self.calls)
    }

    fn inputs(&self, rows: &[StringRecord]) -> Vec<u8> {
        let places = &self.places;
        let column = |at: &usize| {
            let values: Vec<Value> = rows.iter().map(|row| cell(&row[*at])).collect();
            json!({"name": &self.header[*at], "values": values})
        };
        let predictions = rows.iter().map(|row| {
            let numbers = places.predictions.iter().map(|at| json!(number(&row[*at])));
            let numbers: Vec<Value> = numbers.collect();
            match (&self.job.monitoring_columns.predictions_columns, &numbers[..]) {
                (Predictions::Number(_), [number]) => number.clone(),
                _classes => Value::Array(numbers),
            }
        });
        let mut entry = json!({
            "recordId": self.record_id(),
            "modelId": self.job.model_id,
            "batchId": self.batch,
            "timestamp": jiff::Timestamp::now().to_string(),
            "features": places.features.iter().map(column).collect::<Vec<_>>(),
            "predictions": predictions.collect::<Vec<_>>(),
        });
        if let Predictions::Classes(classes) = &self.job.monitoring_columns.predictions_columns {
            let names: Vec<&str> = classes.iter().map(|class| &*class.class_name).collect();
            entry["classNames"] = json!(names);
        }
        if let Some(at) = places.association {
            let ids: Vec<Value> = rows.iter().map(|row| text(&row[at])).collect();
            entry["associationIds"] = json!(ids);
        }
        json!({"data": [entry]}).to_string().into_bytes()
    }

    fn actuals(&self, rows: &[StringRecord]) -> Option<Vec<u8>> {
        let places = &self.places;
        let (association, actual) = (places.association?, places.actual?);
        let is_there = |row: &&StringRecord| {
            !text(&row[association]).is_null() && !text(&row[actual]).is_null()
        };
        let entry = |row: &StringRecord| {
            let mut entry = json!({
                "recordId": self.record_id(),
                "associationId": &row[association],
                "actualValue": cell(&row[actual]),
            });
            if let Some(acted) = places.acted {
                entry["wasActedOn"] = json!(is_yes(&row[acted]));
            }
            if let Some(time) = places.actual_time {
                entry["timestamp"] = text(&row[time]);
            }
            entry
        };
        let data: Vec<Value> = rows.iter().filter(is_there).map(entry).collect();
        (!data.is_empty()).then(|| json!({"data": data}).to_string().into_bytes())
    }
}

impl Places {
    fn of(columns: &Columns, header: &StringRecord) -> Result<Self, JobFault> {
        let find = |name: &str| {
            let at = header.iter().position(|column| column == name);
            at.ok_or_else(|| JobFault::NoColumn(name.to_owned()))
        };
        let optional = |name: &Option<String>| name.as_deref().map(find).transpose();
        let predictions = match &columns.predictions_columns {
            Predictions::Number(name) => vec![find(name)?],
            Predictions::Classes(classes) => {
                classes.iter().map(|class| find(&class.column_name)).collect::<Result<_, _>>()?
            }
        };
        let mut places = Self {
            predictions,
            association: optional(&columns.association_id_column)?,
            actual: optional(&columns.actuals_value_column)?,
            acted: optional(&columns.acted_upon_column)?,
            actual_time: optional(&columns.actuals_timestamp_column)?,
            features: Vec::new(),
        };
        let others = [places.association, places.actual, places.acted, places.actual_time];
        let is_feature =
            |at: &usize| !places.predictions.contains(at) && !others.contains(&Some(*at));
        places.features = (0..header.len()).filter(is_feature).collect();
        Ok(places)
    }
}

fn number(cell: &str) -> Option<f64> {
    cell.parse().ok().filter(|number: &f64| number.is_finite())
}

fn text(cell: &str) -> Value {
    if MISSING.contains(&cell) { Value::Null } else { json!(cell) }
}

/// A cell as it is: a number, a text, or nothing.
fn cell(cell: &str) -> Value {
    number(cell).map_or_else(|| text(cell), |number| json!(number))
}

fn is_yes(cell: &str) -> bool {
    ["true", "yes", "1"].iter().any(|yes| cell.eq_ignore_ascii_case(yes))
}

#[cfg(test)]
mod tests;
