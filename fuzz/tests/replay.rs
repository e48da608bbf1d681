//! Every target over its seeds and over mutations of them. The mutations are the same in every run.

use tracewell_fuzz::TARGETS;

/// Mutations of each target's seeds, and the number they begin with: others give other mutations.
fn from_environment(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(usual)
}

/// A small generator of numbers.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        // xorshift64*, Vigna 2016.
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }
}

/// One to four small changes.
fn mutate(data: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    for _ in 0..=random.below(4) {
        let at = random.below(data.len().max(1));
        let end = (at + 1 + random.below(32)).min(data.len());
        match random.below(6) {
            _ if data.is_empty() => data.push(0),
            0 => data[at] ^= 1 << random.below(8),
            1 => data[at] = random.below(256) as u8,
            2 => data.truncate(at),
            3 => drop(data.drain(at..end)),
            4 => data.extend_from_within(at..end),
            _ => {
                let from = random.below(other.len().max(1));
                let piece = other[from.min(other.len())..(from + 64).min(other.len())].to_vec();
                data.splice(at..at, piece);
            }
        }
    }
}

fn replay(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target of that name");
    let seeds = (target.seeds)();
    for seed in &seeds {
        (target.check)(seed);
    }
    let mut random = Random(from_environment("TRACEWELL_FUZZ_START", 7).max(1));
    for _ in 0..from_environment("TRACEWELL_FUZZ_MUTATIONS", 3000) {
        let mut data = seeds[random.below(seeds.len())].clone();
        mutate(&mut data, &seeds[random.below(seeds.len())], &mut random);
        (target.check)(&data);
    }
}

#[test]
fn walk() {
    replay("walk");
}

#[test]
fn walk_built() {
    replay("walk_built");
}

#[test]
fn json() {
    replay("json");
}

#[test]
fn inflate() {
    replay("inflate");
}

#[test]
fn normalize() {
    replay("normalize");
}

#[test]
fn normalize_built() {
    replay("normalize_built");
}

#[test]
fn wal() {
    replay("wal");
}

#[test]
fn wal_built() {
    replay("wal_built");
}

#[test]
fn exchange() {
    replay("exchange");
}

#[test]
fn gate() {
    replay("gate");
}

#[test]
fn postgres() {
    replay("postgres");
}

#[test]
fn postgres_value() {
    replay("postgres_value");
}

#[test]
fn postgres_sql() {
    replay("postgres_sql");
}

#[test]
fn sql_body() {
    replay("sql_body");
}

#[test]
fn flight() {
    replay("flight");
}

#[test]
fn to_char() {
    replay("to_char");
}
