//! `keras.ops.rearrange`: axes split, permuted and merged as a pattern such as `"b (h w) c -> b c h w"`
//! says (the notation of einops).

use crate::base::error::quote;
use crate::base::{Error, Result, Shape};
use crate::graph::Value;
use crate::layers::Arg;
use crate::operations::call::Call;
use crate::operations::operations;

operations! {
    /// Einstein-like rearrangements; the call's other keywords are extents of axes.
    EINOPS:
    Rearrange(tensor, pattern; axes_lengths) |c| rearrange(c);
}

fn rearrange<'g>(c: &Call<'_, 'g>) -> Result<Value<'g>> {
    let x = c.value(0)?;
    let pattern = c.plain(1).and_then(|p| p.as_str().map(str::to_owned));
    let pattern = pattern.ok_or_else(|| c.bad(1, "a pattern such as 'a b -> b a'"))?;
    let wrong = |expected: &str| Error::shape("rearrange", quote(&pattern), expected);
    let (from, to) = pattern.split_once("->").ok_or_else(|| wrong("'axes -> axes'"))?;
    let parse = |side: &str| groups(side).ok_or_else(|| wrong("names and (groups of names)"));
    let (from, to) = (parse(from)?, parse(to)?);
    let (names, extents) = split_extents(c, &from, &x.shape())?;
    let order: Option<Vec<usize>> =
        to.iter().flatten().map(|name| names.iter().position(|n| n == name)).collect();
    let order = order.ok_or_else(|| wrong("names on the right that the left has"))?;
    let mut sorted = order.clone();
    sorted.sort_unstable();
    if !sorted.into_iter().eq(0..names.len()) {
        return Err(wrong("every name once on each side"));
    }
    let extent = |name: &String| names.iter().position(|n| n == name).map_or(1, |i| extents[i]);
    let merged: Shape = to.iter().map(|group| group.iter().map(extent).product()).collect();
    Ok(x.reshape(extents.clone()).transpose(&order).reshape(merged))
}

/// The axes of one side: names, each alone or with others in one pair of parentheses.
fn groups(side: &str) -> Option<Vec<Vec<String>>> {
    let is_name = |word: &str| word.chars().all(|ch| ch.is_alphanumeric() || ch == '_');
    let spaced = side.replace('(', " ( ").replace(')', " ) ");
    let (mut all, mut open): (Vec<Vec<String>>, Option<Vec<String>>) = (Vec::new(), None);
    for word in spaced.split_whitespace() {
        match (word, &mut open) {
            ("(", None) => open = Some(Vec::new()),
            (")", Some(_)) => all.extend(open.take()),
            (name, Some(group)) if is_name(name) => group.push(name.into()),
            (name, None) if is_name(name) => all.push(vec![name.into()]),
            _ => return None,
        }
    }
    open.is_none().then_some(all)
}

/// The names of the left side, and their extents: those of the input, of the call's keywords, or in a
/// group what the others leave.
fn split_extents(
    c: &Call<'_, '_>,
    from: &[Vec<String>],
    shape: &Shape,
) -> Result<(Vec<String>, Vec<usize>)> {
    let misfit = |found: String| {
        let expected = format!("a pattern and extents that fit {shape}");
        Error::shape("rearrange", found, expected)
    };
    if from.len() != shape.rank() {
        return Err(misfit(format!("{} axes on the left", from.len())));
    }
    let (mut names, mut extents) = (Vec::new(), Vec::new());
    for (group, &whole) in from.iter().zip(shape.iter()) {
        let given = group.iter().map(|name| keyword(c, name)).collect::<Result<Vec<_>>>()?;
        // Keras looks at the extents of grouped axes only.
        let given = if group.len() == 1 { vec![None] } else { given };
        let known: usize = given.iter().flatten().product();
        let open = given.iter().filter(|extent| extent.is_none()).count();
        if known == 0 || open > 1 || !whole.is_multiple_of(known) || (open == 0 && known != whole) {
            return Err(misfit(format!("({}) for an extent of {whole}", quote(&group.join(" ")))));
        }
        names.extend(group.iter().cloned());
        extents.extend(given.into_iter().map(|extent| extent.unwrap_or(whole / known)));
    }
    Ok((names, extents))
}

/// The extent that the call gives an axis.
fn keyword(c: &Call<'_, '_>, name: &str) -> Result<Option<usize>> {
    match c.args.keyword(name) {
        None => Ok(None),
        Some(Arg::Plain(json)) if json.as_u64().is_some_and(|n| u32::try_from(n).is_ok()) => {
            Ok(json.as_u64().map(|n| n as usize))
        }
        Some(_) => Err(Error::shape("rearrange", quote(name), "an extent for this axis")),
    }
}
