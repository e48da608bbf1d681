//! Segments made by hand: the layout is that of `tracewell_wal`, the fields are the input's.

use std::fs;
use std::path::Path;

use arbitrary::{Result, Unstructured};
use crc32fast::Hasher;

/// Writes a few segments into the shard of `dir`.
pub(super) fn write(dir: &Path, choices: &mut Unstructured<'_>) -> Result<()> {
    let id = fs::read_to_string(dir.join("ID")).expect("an identity");
    let id = u128::from_str_radix(id.trim_end(), 16).expect("hex digits");
    let mut first_seq = 1;
    for _ in 0..choices.int_in_range(1..=3)? {
        let mut bytes = header(id, first_seq);
        let seed = crc32fast::hash(&bytes[..44]);
        let mut seq = first_seq;
        // What was made before the input ends is written.
        let made = (|| -> Result<()> {
            if choices.ratio(1, 8)? {
                bytes[choices.int_in_range(0..=47)?] ^= 1;
            }
            for _ in 0..choices.int_in_range(0..=6)? {
                piece(&mut bytes, &mut seq, seed, choices)?;
            }
            Ok(())
        })();
        fs::write(super::shard(dir).join(format!("{first_seq:020}.wal")), &bytes).expect("a file");
        made?;
        first_seq = match choices.int_in_range(0..=7)? {
            0 => choices.arbitrary()?,
            1 => seq.saturating_add(1),
            _ => seq,
        };
    }
    Ok(())
}

fn header(id: u128, first_seq: u64) -> Vec<u8> {
    let mut bytes = b"TWELLWAL".to_vec();
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend(0_u32.to_le_bytes());
    bytes.extend(id.to_be_bytes());
    bytes.extend(first_seq.to_le_bytes());
    bytes.extend([0; 4]);
    let crc = crc32fast::hash(&bytes);
    bytes.extend(crc.to_le_bytes());
    bytes
}

/// A record, or bytes that are none.
fn piece(bytes: &mut Vec<u8>, seq: &mut u64, seed: u32, choices: &mut Unstructured<'_>) -> Result<()> {
    if choices.ratio(1, 6)? {
        let length = choices.int_in_range(0..=100)?;
        bytes.extend(choices.bytes(length.min(choices.len()))?);
        return Ok(());
    }
    let length = choices.int_in_range(0..=60)?;
    let mut content = choices.bytes(length.min(choices.len()))?.to_vec();
    let kind = match choices.int_in_range(0..=5)? {
        0 => 0,
        1 => 255,
        2 => choices.arbitrary()?,
        _ => 1,
    };
    if kind == 255 {
        let last =
            if choices.arbitrary()? { choices.arbitrary()? } else { seq.saturating_add(choices.int_in_range(0..=3)?) };
        content = last.to_le_bytes().to_vec();
    }
    let this = match choices.int_in_range(0..=9)? {
        0 => choices.arbitrary()?,
        1 => seq.saturating_add(2),
        2 => u64::MAX - choices.int_in_range(0..=2)?,
        _ => *seq,
    };
    let durable = if choices.arbitrary()? { bytes.len() as u64 } else { choices.arbitrary()? };
    let tenant_len = if choices.ratio(1, 8)? { choices.arbitrary()? } else { (content.len() / 2) as u16 };
    let claimed = if choices.ratio(1, 8)? { choices.arbitrary()? } else { content.len() as u32 };

    let zeros = vec![0; content.len().next_multiple_of(8) - content.len()];
    let crc = [&content[..], &zeros].concat();
    let mut head = claimed.to_le_bytes().to_vec();
    head.extend(crc32fast::hash(&crc).to_le_bytes());
    head.extend(this.to_le_bytes());
    head.extend([0; 24]);
    head.extend(durable.to_le_bytes());
    head.extend([kind, 0]);
    head.extend(tenant_len.to_le_bytes());
    let mut hasher = Hasher::new_with_initial(seed);
    hasher.update(&head);
    head.extend(hasher.finalize().to_le_bytes());
    bytes.extend(head);
    bytes.extend(crc);
    *seq = match kind {
        0 => this,
        255 => u64::from_le_bytes(content.try_into().expect("eight bytes")).saturating_add(1),
        _ => this.saturating_add(1),
    };
    Ok(())
}
