//! Numbers by PostgreSQL's patterns, such as `FM9,999.00`, as its documentation has them under *Template Patterns for
//! Numeric Formatting*.

/// Why a pattern cannot be written, if it cannot.
type Result<T> = std::result::Result<T, String>;

/// Letters of a pattern. Each number is written with as many, and a number has less than a thousand digits.
const MOST_LETTERS: usize = 1_000;

/// What PostgreSQL knows and this does not.
const OTHERS: [&str; 7] = ["EEEE", "RN", "TH", "PL", "SG", "L", "V"];

/// A pattern, read.
#[derive(Default)]
pub(super) struct Pattern {
    pieces: Vec<Piece>,
    /// Without the blanks of digits that a number does not have, and without zeros at its end.
    is_short: bool,
    /// Digits before the point, how many of them may be blank, those behind it, and how many of these are always shown.
    before: usize,
    blank: Option<usize>,
    behind: usize,
    shown: usize,
    /// Where the sign stands that is not simply before the number.
    sign: Option<Piece>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Piece {
    Before,
    Behind,
    Point,
    Comma,
    /// `S`
    Sign,
    /// `MI`
    Minus,
    /// `PR`
    Angle,
    Letter(char),
}

impl Pattern {
    pub(super) fn read(pattern: &str) -> Result<Self> {
        if pattern.len() > MOST_LETTERS {
            return Err(format!("a pattern of numbers has up to {MOST_LETTERS} letters"));
        }
        let (mut read, mut rest, mut point) = (Self::default(), pattern, false);
        while let Some(letter) = rest.chars().next() {
            let starts = |word: &&str| rest.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
            if let Some(word) = OTHERS.iter().find(|word| starts(word)) {
                return Err(format!(
                    "to_char does not know `{word}` in a pattern of numbers; in double quotes it is text"
                ));
            }
            let (length, piece) = match letter {
                '"' => {
                    let quoted = rest[1..].split('"').next().unwrap_or_default();
                    read.pieces.extend(quoted.chars().map(Piece::Letter));
                    rest = rest.get(quoted.len() + 2..).unwrap_or_default();
                    continue;
                }
                _ if starts(&"FM") => {
                    (read.is_short, rest) = (true, &rest[2..]);
                    continue;
                }
                '0' | '9' if point => {
                    read.behind += 1;
                    if letter == '0' {
                        read.shown = read.behind;
                    }
                    (1, Piece::Behind)
                }
                '0' | '9' => {
                    if letter == '0' {
                        read.blank.get_or_insert(read.before);
                    }
                    read.before += 1;
                    (1, Piece::Before)
                }
                '.' | 'D' | 'd' if point => return Err("a pattern of numbers has one point".into()),
                '.' | 'D' | 'd' => {
                    point = true;
                    (1, Piece::Point)
                }
                ',' | 'G' | 'g' => (1, Piece::Comma),
                _ if starts(&"MI") => (2, Piece::Minus),
                _ if starts(&"PR") => (2, Piece::Angle),
                'S' | 's' => (1, Piece::Sign),
                other => (other.len_utf8(), Piece::Letter(other)),
            };
            if matches!(piece, Piece::Sign | Piece::Minus | Piece::Angle) {
                read.sign = Some(piece);
            }
            read.pieces.push(piece);
            rest = &rest[length..];
        }
        Ok(read)
    }

    /// Digits that a number is rounded to.
    pub(super) fn behind(&self) -> usize {
        self.behind
    }

    /// A number in decimal digits; `None` for one that has none.
    pub(super) fn write(&self, number: Option<&str>) -> String {
        let number = number.map(|number| Number::rounded(number, self.behind));
        let negative = number.as_ref().is_some_and(|number| number.negative);
        let fits = number.as_ref().filter(|number| number.before.len() <= self.before);
        let behind = fits.map_or_else(|| "#".repeat(self.behind), |number| number.behind.clone());
        let behind: &str = match fits {
            Some(_) if self.is_short => {
                let needed = behind.trim_end_matches('0').len().max(self.shown);
                &behind[..needed]
            }
            _ => &behind,
        };
        let digit = |position: usize| match fits {
            None => Some('#'),
            Some(number) => match (position + number.before.len()).checked_sub(self.before) {
                Some(digit) => number.before[digit..].chars().next(),
                None if self.blank.is_some_and(|blank| position >= blank) => Some('0'),
                // A number is not blank as a whole.
                None if number.before.is_empty() && position + 1 == self.before && behind.is_empty() => Some('0'),
                None => None,
            },
        };
        let first_digit = self.pieces.iter().position(|piece| matches!(piece, Piece::Before | Piece::Point));
        let leads = self.pieces.iter().position(|piece| *piece == Piece::Sign) < first_digit;
        let filled = |letter: Option<char>| letter.or((!self.is_short).then_some(' '));
        let begin = match self.sign {
            None => filled(negative.then_some('-')),
            Some(Piece::Sign) if leads => Some(if negative { '-' } else { '+' }),
            Some(Piece::Angle) => filled(negative.then_some('<')),
            Some(_) => None,
        };
        let (mut written, mut begun, mut before) = (String::new(), false, 0);
        let mut rest = behind.chars();
        for piece in &self.pieces {
            if !begun && (*piece == Piece::Point || *piece == Piece::Before && digit(before).is_some()) {
                begun = true;
                written.extend(begin);
            }
            match piece {
                Piece::Before => {
                    written.extend(filled(digit(before)));
                    before += 1;
                }
                Piece::Behind => written.extend(rest.next()),
                Piece::Point => written.extend((self.behind > 0).then_some('.')),
                Piece::Comma => written.extend(filled(begun.then_some(','))),
                Piece::Sign => written.extend((!leads).then_some(if negative { '-' } else { '+' })),
                Piece::Minus => written.extend(filled(negative.then_some('-'))),
                Piece::Angle => written.extend(filled(negative.then_some('>'))),
                Piece::Letter(letter) => written.push(*letter),
            }
        }
        written
    }
}

/// The digits of a number before its point, without zeros in front, and behind it.
struct Number {
    negative: bool,
    before: String,
    behind: String,
}

impl Number {
    /// Halves go away from zero.
    fn rounded(number: &str, behind: usize) -> Self {
        let unsigned = number.trim_start_matches('-');
        let (whole, part) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let kept = format!("0{whole}{part:0<behind$.behind$}");
        let mut digits = kept.into_bytes();
        if part.as_bytes().get(behind).is_some_and(|next| *next >= b'5') {
            for digit in digits.iter_mut().rev() {
                *digit = if *digit == b'9' { b'0' } else { *digit + 1 };
                if *digit != b'0' {
                    break;
                }
            }
        }
        let negative = number.starts_with('-') && digits.iter().any(|digit| *digit != b'0');
        let mut before: String = digits.into_iter().map(char::from).collect();
        let behind = before.split_off(before.len() - behind);
        Self { negative, before: before.trim_start_matches('0').to_owned(), behind }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What PostgreSQL answers.
    #[test]
    fn numbers_stand_in_their_places() {
        for (number, pattern, expected) in [
            ("1234567.891", "FM9,999,999.00", "1,234,567.89"),
            ("12", "999", "  12"),
            ("0.5", "0.00", " 0.50"),
            ("0.5", "9.99", "  .50"),
            ("-3.14159", "9.99", "-3.14"),
            ("125", "FM000000", "000125"),
            ("1234.5", "9999", " 1235"),
            ("12345", "999", " ###"),
            ("-12345", "999", "-###"),
            ("999.99", "FM999.9", "###.#"),
            ("0", "999", "   0"),
            ("0", "9.9", "  .0"),
            ("0", "FM9.9", "0."),
            ("0", "9.", " 0"),
            ("0.1", "FM99.99", ".1"),
            ("-0.5", "FM99.9", "-.5"),
            ("-0.001", "9.99", "  .00"),
            ("1485", "9,999", " 1,485"),
            ("10", "9,999", "    10"),
            ("-10", "9,999", "   -10"),
            ("10", "FM9,999", "10"),
            ("148.5", "FM999.990", "148.500"),
            ("12", "S99", "+12"),
            ("10", "S9,999", "   +10"),
            ("-12", "99S", "12-"),
            ("12", "MI99", " 12"),
            ("-12", "99MI", "12-"),
            ("12", "FM99MI", "12"),
            ("12", "99PR", " 12 "),
            ("-12", "99PR", "<12>"),
            ("12", "FM99PR", "12"),
            ("1234", "$9,999", "$ 1,234"),
            ("-5", "FM$9,999", "$-5"),
            ("75.5", "FM90.0%", "75.5%"),
            ("5", "99 \"pct\"", "  5 pct"),
            ("-7", "099", "-007"),
            ("12345678901234567890", "FM99999999999999999999", "12345678901234567890"),
        ] {
            assert_eq!(Pattern::read(pattern).unwrap().write(Some(number)), expected, "{number} {pattern}");
        }
        assert_eq!(Pattern::read("99").unwrap().write(None), " ##");
        assert!(Pattern::read("9EEEE").is_err_and(|told| told.contains("`EEEE`")));
        assert!(Pattern::read("9.9.9").is_err());
        assert!(Pattern::read(&"9".repeat(1_001)).is_err());
    }
}
