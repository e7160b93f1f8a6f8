//! What a builder takes for an archive.

/// Whether content is an archive that `ADD` unpacks: a tar, or something compressed that may hold one.
pub fn is_archive(content: &[u8]) -> bool {
    let compressed: [&[u8]; 4] = [&[0x1f, 0x8b], b"BZh", &[0xfd, b'7', b'z', b'X', b'Z', 0], &[0x28, 0xb5, 0x2f, 0xfd]];
    compressed.iter().any(|magic| content.starts_with(magic))
        || content.get(257..262) == Some(b"ustar")
        || content.len() >= 512 && has_tar_checksum(content)
}

/// Whether the first block is a header of an old tar, without a magic number: its checksum is right.
fn has_tar_checksum(content: &[u8]) -> bool {
    let Some(block) = content.get(..512) else { return false };
    let text: String = block[148..156].iter().map(|b| char::from(*b)).filter(|c| c.is_digit(8)).collect();
    let sum: u32 =
        block.iter().enumerate().map(|(i, b)| if (148..156).contains(&i) { 32 } else { u32::from(*b) }).sum();
    u32::from_str_radix(&text, 8) == Ok(sum) && sum != 256
}
