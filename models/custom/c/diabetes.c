// A ridge regression of the progress of diabetes, written by hand.
//
// What comes in belongs to this file and is freed here; what goes out is freed by the bindings, so every text in it is
// a copy.
#include <math.h>
#include <stdlib.h>

#include "bindings/scorer.h"

typedef exports_outpost_model_scoring_batch_t batch_t;
typedef exports_outpost_model_scoring_decline_t decline_t;
typedef exports_outpost_model_scoring_feature_t feature_t;
typedef exports_outpost_model_scoring_predictions_t predictions_t;
typedef exports_outpost_model_scoring_signature_t signature_t;

// Each feature with what it adds to the prediction for each unit.
static const struct {
    const char *name;
    double weight;
} WEIGHTS[] = {
    {"age", -0.03285239685543177}, {"sex", -22.607045432279943}, {"bmi", 5.6404052343656526},
    {"bp", 1.1189975700485106},    {"s1", -0.9146734842698865},  {"s2", 0.5849098252881734},
    {"s3", 0.17788523837880751},   {"s4", 6.250441778661595},    {"s5", 63.179080873617174},
    {"s6", 0.2877669028997868},
};
static const double INTERCEPT = -316.0771186042882;
enum { WIDTH = sizeof WEIGHTS / sizeof WEIGHTS[0] };

void exports_outpost_model_scoring_describe(signature_t *signature) {
    // Zeros are empty lists.
    *signature = (signature_t){0};
    scorer_string_dup(&signature->prediction_type, "regression");
    scorer_string_dup(&signature->target, "Y");
    feature_t *features = calloc(WIDTH, sizeof *features);
    if (!features) abort();
    for (size_t i = 0; i < WIDTH; i++) {
        scorer_string_dup(&features[i].name, WEIGHTS[i].name);
        scorer_string_dup(&features[i].kind, "numeric");
    }
    signature->features.ptr = features;
    signature->features.len = WIDTH;
}

static bool decline(decline_t *why, const char *code, const char *message) {
    *why = (decline_t){0};
    scorer_string_dup(&why->code, code);
    scorer_string_dup(&why->message, message);
    return false;
}

static bool score_row(const double *row, uint32_t number, double *value, decline_t *why) {
    double sum = INTERCEPT;
    for (size_t i = 0; i < WIDTH; i++) {
        if (isnan(row[i])) {
            decline(why, "missing-value", "a value is missing");
            why->row.is_some = true;
            why->row.val = number;
            why->feature.is_some = true;
            scorer_string_dup(&why->feature.val, WEIGHTS[i].name);
            return false;
        }
        sum += WEIGHTS[i].weight * row[i];
    }
    if (!isfinite(sum)) {
        decline(why, "not-finite", "the numbers are too large to add up");
        why->row.is_some = true;
        why->row.val = number;
        return false;
    }
    *value = sum;
    return true;
}

static bool score(const batch_t *batch, predictions_t *predictions, decline_t *why) {
    if (batch->texts.len != 0 || batch->numbers.len != (size_t)batch->rows * WIDTH) {
        return decline(why, "wrong-shape", "a row has 10 numbers");
    }
    double *values = malloc(batch->rows * sizeof *values + 1);
    if (!values) abort();
    for (uint32_t row = 0; row < batch->rows; row++) {
        if (!score_row(batch->numbers.ptr + (size_t)row * WIDTH, row, values + row, why)) {
            free(values);
            return false;
        }
    }
    *predictions = (predictions_t){0};
    predictions->values.ptr = values;
    predictions->values.len = batch->rows;
    return true;
}

bool exports_outpost_model_scoring_score(batch_t *batch, predictions_t *predictions, decline_t *why) {
    bool scored = score(batch, predictions, why);
    exports_outpost_model_scoring_batch_free(batch);
    return scored;
}
