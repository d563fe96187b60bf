//! Values that may be of another kind than their field says. A wrong one is kept as a fault with the way to it, and
//! what is around it is read on: one bad entry is no reason to lose a call.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

use super::Fault;
use crate::wire::timestamp::Moment;

/// What a field may hold. Whatever is not overridden is a fault.
pub(super) trait Shape<'de>: Sized {
    /// In an error: "must be ..".
    const MUST_BE: &'static str;

    /// Null; usually as if the field were not there.
    fn null() -> Option<Self> {
        None
    }
    fn boolean(_: bool) -> Option<Self> {
        None
    }
    fn whole(value: i64) -> Option<Self> {
        Self::number(value as f64)
    }
    fn number(_: f64) -> Option<Self> {
        None
    }
    fn text(_: Cow<'de, str>) -> Option<Self> {
        None
    }
    fn list<A: SeqAccess<'de>>(mut list: A) -> Result<Result<Self, Fault>, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Err(Self::fault("a list")))
    }
    fn object<A: MapAccess<'de>>(mut map: A) -> Result<Result<Self, Fault>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Err(Self::fault("an object")))
    }
    fn fault(found: &str) -> Fault {
        Fault::new("", format!("must be {}, not {found}", Self::MUST_BE))
    }
}

/// What a field held: none for null.
pub(super) struct Got<T>(pub(super) Result<Option<T>, Fault>);

impl<'de, T: Shape<'de>> Deserialize<'de> for Got<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Any(PhantomData)).map(Self)
    }
}

struct Any<T>(PhantomData<T>);

impl<T> Any<T> {
    fn found<'de>(value: Option<T>, found: &str) -> Result<Option<T>, Fault>
    where
        T: Shape<'de>,
    {
        value.map_or_else(|| Err(T::fault(found)), |value| Ok(Some(value)))
    }
}

impl<'de, T: Shape<'de>> Visitor<'de> for Any<T> {
    type Value = Result<Option<T>, Fault>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::MUST_BE)
    }
    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Ok(T::null()))
    }
    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Self::found(T::boolean(value), "true or false"))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Self::found(T::whole(value), "that number"))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        let read = i64::try_from(value).map_or_else(|_| T::number(value as f64), T::whole);
        Ok(Self::found(read, "that number"))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Self::found(T::number(value), "that number"))
    }
    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(Self::found(T::text(Cow::Borrowed(value)), "that text"))
    }
    fn visit_str<E: Error>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Self::found(T::text(Cow::Owned(value.to_owned())), "that text"))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
        Ok(T::list(list)?.map(Some))
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        Ok(T::object(map)?.map(Some))
    }
}

/// Reads a field of an object: the first fault of the object is kept.
pub(super) fn field<'de, T: Shape<'de>, A: MapAccess<'de>>(
    map: &mut A,
    name: &str,
    to: &mut Option<T>,
    fault: &mut Option<Fault>,
) -> Result<(), A::Error> {
    match map.next_value::<Got<T>>()?.0 {
        Ok(value) => *to = value,
        Err(wrong) => {
            fault.get_or_insert_with(|| wrong.within(name));
        }
    }
    Ok(())
}

/// A list of values that are read alike.
pub(super) struct List<T>(pub(super) Vec<T>);

impl<'de, T: Shape<'de>> Shape<'de> for List<T> {
    const MUST_BE: &'static str = "a list";

    fn list<A: SeqAccess<'de>>(mut list: A) -> Result<Result<Self, Fault>, A::Error> {
        let mut values = Vec::with_capacity(list.size_hint().unwrap_or(0));
        let mut fault = None;
        let mut at = 0_usize;
        while let Some(Got(value)) = list.next_element::<Got<T>>()? {
            match value {
                Ok(Some(value)) => values.push(value),
                Ok(None) => {
                    fault.get_or_insert_with(|| T::fault("null").within(&format!("[{at}]")));
                }
                Err(wrong) => {
                    fault.get_or_insert_with(|| wrong.within(&format!("[{at}]")));
                }
            }
            at += 1;
        }
        Ok(fault.map_or(Ok(Self(values)), Err))
    }
}

/// A text; a number is one too, and `5.0` is the text `5`: one of the agents writes whole ids that way.
pub(super) struct Text<'a>(pub(super) Cow<'a, str>);

impl<'de> Shape<'de> for Text<'de> {
    const MUST_BE: &'static str = "a text";

    fn whole(value: i64) -> Option<Self> {
        Some(Self(Cow::Owned(value.to_string())))
    }
    fn number(value: f64) -> Option<Self> {
        Some(Self(Cow::Owned(value.to_string())))
    }
    fn text(text: Cow<'de, str>) -> Option<Self> {
        Some(Self(text))
    }
}

/// A text, or null.
pub(super) struct TextOrNull<'a>(pub(super) Option<Cow<'a, str>>);

impl<'de> Shape<'de> for TextOrNull<'de> {
    const MUST_BE: &'static str = Text::MUST_BE;

    fn null() -> Option<Self> {
        Some(Self(None))
    }
    fn number(value: f64) -> Option<Self> {
        Text::number(value).map(|text| Self(Some(text.0)))
    }
    fn whole(value: i64) -> Option<Self> {
        Text::whole(value).map(|text| Self(Some(text.0)))
    }
    fn text(text: Cow<'de, str>) -> Option<Self> {
        Some(Self(Some(text)))
    }
}

/// Yes or no.
pub(super) struct Boolean(pub(super) bool);

impl<'de> Shape<'de> for Boolean {
    const MUST_BE: &'static str = "true or false";

    fn boolean(value: bool) -> Option<Self> {
        Some(Self(value))
    }
    fn text(text: Cow<'de, str>) -> Option<Self> {
        let is = |word| text.eq_ignore_ascii_case(word);
        if is("true") { Some(Self(true)) } else { is("false").then_some(Self(false)) }
    }
}

/// A number, also as text.
pub(super) struct Float(pub(super) f64);

impl<'de> Shape<'de> for Float {
    const MUST_BE: &'static str = "a number";

    fn number(value: f64) -> Option<Self> {
        Some(Self(value))
    }
    fn text(text: Cow<'de, str>) -> Option<Self> {
        serde_json::from_str(text.trim()).ok().map(Self)
    }
}

/// A whole number, also as `2.0` and as text.
pub(super) struct Whole(pub(super) i64);

impl<'de> Shape<'de> for Whole {
    const MUST_BE: &'static str = "a whole number";

    fn whole(value: i64) -> Option<Self> {
        Some(Self(value))
    }
    fn number(value: f64) -> Option<Self> {
        /// From here on not every whole number has a float of its own.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        (value.fract() == 0.0 && value.abs() <= EXACT).then_some(Self(value as i64))
    }
    fn text(text: Cow<'de, str>) -> Option<Self> {
        let text = text.trim();
        let whole = text.parse().ok().map(Self);
        whole.or_else(|| Self::number(serde_json::from_str(text).ok()?))
    }
}

/// A time of any form; a text of digits is a number that an agent made a text of.
pub(super) struct Time(pub(super) Moment);

impl<'de> Shape<'de> for Time {
    const MUST_BE: &'static str = "a time";

    // What is no time at all means as little as a text that is none.
    fn boolean(_: bool) -> Option<Self> {
        Some(Self(Moment::Unknown))
    }
    fn list<A: SeqAccess<'de>>(mut list: A) -> Result<Result<Self, Fault>, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Ok(Self(Moment::Unknown)))
    }
    fn object<A: MapAccess<'de>>(mut map: A) -> Result<Result<Self, Fault>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Ok(Self(Moment::Unknown)))
    }

    fn whole(value: i64) -> Option<Self> {
        Some(Self(Moment::of_number(&value.into())))
    }
    fn number(value: f64) -> Option<Self> {
        Some(Self(Number::from_f64(value).map_or(Moment::Unknown, |n| Moment::of_number(&n))))
    }
    fn text(text: Cow<'de, str>) -> Option<Self> {
        let number = || serde_json::from_str(text.trim()).ok();
        let moment = match Moment::of_text(&text) {
            Moment::Unknown => number().map_or(Moment::Unknown, |n| Moment::of_number(&n)),
            known => known,
        };
        Some(Self(moment))
    }
}
