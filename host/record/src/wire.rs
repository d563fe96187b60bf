//! The wire form: the JSON envelope of the public `datarobot-mlops` library.
