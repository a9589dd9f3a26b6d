//! Percent-encoding for one segment of a path, one value of a query, one part of a connection URL (RFC 3986, section 2.3).

/// Everything but letters, digits and `-._~` as `%XX`: safe in every part of a URL.
pub(crate) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::encode;

    #[test]
    fn nothing_that_means_something_in_a_url_gets_through() {
        assert_eq!(encode("aZ09-._~"), "aZ09-._~");
        assert_eq!(encode("p@ss:w/rd?#%&=+ ö\"'$`\n"), "p%40ss%3Aw%2Frd%3F%23%25%26%3D%2B%20%C3%B6%22%27%24%60%0A");
    }
}
