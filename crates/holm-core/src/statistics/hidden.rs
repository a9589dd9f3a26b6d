//! Which parts of a total are withheld, of one measure.
//!
//! Promises: none of which one tenant has more than four fifths is told, and what the total leaves when all that is told is taken from
//! it is no such sum either. More than needed is withheld only where a part is needed to hide another.

use super::{Tally, Withheld};

/// Of each part, why it is withheld, if it is. A total that is dominated is not told, and leaves nothing to be taken from.
pub(super) fn parts(parts: &[Tally]) -> Vec<Option<Withheld>> {
    let mut hidden: Vec<Option<Withheld>> = parts.iter().map(|part| part.is_dominated().then_some(Withheld::Dominated)).collect();
    if together(parts.iter()).is_dominated() {
        return hidden;
    }
    loop {
        let left = together(parts.iter().zip(&hidden).filter(|(_, why)| why.is_some()).map(|(part, _)| part));
        if !left.is_dominated() {
            return hidden;
        }
        let another = another(parts, &hidden, left);
        hidden[another] = Some(Withheld::WouldTell);
    }
}

fn together<'t>(parts: impl Iterator<Item = &'t Tally>) -> Tally {
    parts.fold(Tally::default(), |sum, part| sum.and(*part))
}

/// The part that hides best: the smallest that is enough by itself, or else the greatest.
fn another(parts: &[Tally], hidden: &[Option<Withheld>], left: Tally) -> usize {
    let mut told: Vec<usize> = (0..parts.len()).filter(|part| hidden[*part].is_none()).collect();
    told.sort_by_key(|part| parts[*part].sum);
    let enough = told.iter().find(|part| !left.and(parts[**part]).is_dominated());
    *enough.or(told.last()).expect("all of them together are not dominated, so that one is left")
}
