//! What happens to files.

use std::fs;
use std::path::{Path, PathBuf};

use arbitrary::{Result, Unstructured};

/// Damages the segments in `shard` as the input says.
pub(super) fn damage(shard: &Path, choices: &mut Unstructured<'_>) -> Result<()> {
    for _ in 0..choices.int_in_range(0..=5)? {
        let mut paths: Vec<PathBuf> = super::files(shard).into_keys().collect();
        paths.sort();
        if paths.is_empty() {
            return Ok(());
        }
        let path = choices.choose(&paths)?;
        match choices.int_in_range(0..=15)? {
            0 => fs::remove_file(path).expect("a file"),
            1 => {
                let name = format!("{:020}.wal", choices.int_in_range(0..=16_u64)?);
                fs::rename(path, shard.join(name)).expect("a file");
            }
            2 => drop(fs::copy(path, choices.choose(&paths)?).expect("a file")),
            _ => {
                let mut bytes = fs::read(path).expect("a file");
                change(&mut bytes, choices)?;
                fs::write(path, bytes).expect("a file");
            }
        }
    }
    Ok(())
}

fn change(bytes: &mut Vec<u8>, choices: &mut Unstructured<'_>) -> Result<()> {
    let start = choices.int_in_range(0..=bytes.len())?;
    let end = (start + choices.int_in_range(1..=120)?).min(bytes.len());
    match choices.int_in_range(0..=6)? {
        0 => bytes.truncate(start),
        1 => drop(bytes.drain(start..end)),
        2 => bytes[start..end].fill(0),
        3 => {
            let piece = bytes[start..end].to_vec();
            let to = choices.int_in_range(0..=bytes.len())?;
            bytes.splice(to..to, piece);
        }
        4 => {
            let garbage = choices.bytes((end - start).min(choices.len()))?;
            bytes.extend(garbage);
        }
        _ if start < bytes.len() => bytes[start] ^= 1 << choices.int_in_range(0..=7)?,
        _ => {}
    }
    Ok(())
}
