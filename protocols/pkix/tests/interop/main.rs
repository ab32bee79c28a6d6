//! The crate against `openssl`, `x509-parser` and hostile input.

#[cfg(test)]
mod certificates;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod openssl;
#[cfg(test)]
mod requests;
