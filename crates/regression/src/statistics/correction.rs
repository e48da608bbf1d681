//! Many metrics at once: the more that are looked at, the likelier one of them looks bad by chance.

use std::fmt;

/// How p-values are corrected for their number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Correction {
    /// They are taken as they are.
    None,
    /// S. Holm, 1979: bounds the chance of one false finding or more.
    #[default]
    Holm,
    /// Y. Benjamini and Y. Hochberg, 1995: bounds the share of false findings among the findings.
    BenjaminiHochberg,
}

impl Correction {
    /// Every correction.
    pub const ALL: [Self; 3] = [Self::None, Self::Holm, Self::BenjaminiHochberg];

    /// Its name in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Holm => "holm",
            Self::BenjaminiHochberg => "benjamini-hochberg",
        }
    }
}

impl fmt::Display for Correction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The p-values, each in its place, so corrected that they can be held against the wanted level.
#[must_use]
pub fn adjust(p_values: &[f64], correction: Correction) -> Vec<f64> {
    let count = p_values.len();
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|a, b| p_values[*a].total_cmp(&p_values[*b]));
    let mut adjusted = p_values.to_vec();
    match correction {
        Correction::None => {}
        Correction::Holm => {
            let mut largest = 0.0_f64;
            for (rank, place) in order.into_iter().enumerate() {
                largest = largest.max(p_values[place] * (count - rank) as f64);
                adjusted[place] = largest.min(1.0);
            }
        }
        Correction::BenjaminiHochberg => {
            let mut smallest = 1.0_f64;
            for (rank, place) in order.into_iter().enumerate().rev() {
                smallest = smallest.min(p_values[place] * count as f64 / (rank + 1) as f64);
                adjusted[place] = smallest;
            }
        }
    }
    adjusted
}
