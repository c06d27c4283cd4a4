//! Telnet (RFC 854) as far as a port server needs it: data with `IAC` doubled, options, subnegotiations. Pure: bytes in, bytes out.

use std::mem;

/// Interpret as command.
pub(super) const IAC: u8 = 255;
const DONT: u8 = 254;
const DO: u8 = 253;
const WONT: u8 = 252;
const WILL: u8 = 251;
const SB: u8 = 250;
const SE: u8 = 240;

/// RFC 856: eight bits, nothing rewritten.
const BINARY: u8 = 0;
/// RFC 857
const ECHO: u8 = 1;
/// RFC 858: both ways at once.
const SUPPRESS_GO_AHEAD: u8 = 3;
/// RFC 2217
pub(super) const COM_PORT: u8 = 44;

/// Longest subnegotiation that is kept, bytes; the longest of RFC 2217 is a signature.
const LONGEST: usize = 256;

/// What a peer said that is no data.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// It takes, or refuses, settings of the port.
    ComPort(bool),
    /// An answer or a notification: command and value.
    Sub(u8, Vec<u8>),
}

/// The client's end of a telnet connection.
#[derive(Debug, Default)]
pub(super) struct Telnet {
    state: State,
    ours: Options,
    theirs: Options,
    /// A CR was received while the peer is not in binary mode: a NUL after it is no data.
    after_cr: bool,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Data,
    Command,
    Option(u8),
    Sub(Vec<u8>),
    SubCommand(Vec<u8>),
}

/// Which options are on or asked for.
#[derive(Debug, Default)]
struct Options {
    binary: bool,
    suppress: bool,
    com_port: bool,
    echo: bool,
}

impl Options {
    fn slot(&mut self, option: u8) -> Option<&mut bool> {
        match option {
            BINARY => Some(&mut self.binary),
            SUPPRESS_GO_AHEAD => Some(&mut self.suppress),
            COM_PORT => Some(&mut self.com_port),
            ECHO => Some(&mut self.echo),
            _ => None,
        }
    }
}

impl Telnet {
    /// What opens the conversation: both ways binary, no go-aheads, and we want to set the port.
    pub(super) fn greet(&mut self) -> Vec<u8> {
        let mut greeting = Vec::new();
        for option in [BINARY, SUPPRESS_GO_AHEAD, COM_PORT] {
            for (set, verb) in [(&mut self.ours, WILL), (&mut self.theirs, DO)] {
                // Servers answer DO COM-PORT-OPTION to WILL; asking them to be a client confuses some.
                if option == COM_PORT && verb == DO {
                    continue;
                }
                if let Some(asked) = set.slot(option) {
                    *asked = true;
                }
                greeting.extend([IAC, verb, option]);
            }
        }
        greeting
    }

    /// Takes what was received: data goes to `data`, replies that are due to `replies`; gives what else was said.
    pub(super) fn take(&mut self, bytes: &[u8], data: &mut Vec<u8>, replies: &mut Vec<u8>) -> Vec<Said> {
        let mut said = Vec::new();
        for &byte in bytes {
            match mem::take(&mut self.state) {
                State::Data if byte == IAC => self.state = State::Command,
                State::Data => self.data(byte, data),
                State::Command => self.command(byte, data),
                State::Option(verb) => said.extend(self.option(verb, byte, replies)),
                State::Sub(sub) if byte == IAC => self.state = State::SubCommand(sub),
                State::Sub(sub) => self.state = State::Sub(with(sub, byte)),
                State::SubCommand(sub) if byte == SE => said.extend(ended(&sub)),
                State::SubCommand(sub) => self.state = State::Sub(with(sub, byte)),
            }
        }
        said
    }

    fn data(&mut self, byte: u8, data: &mut Vec<u8>) {
        let is_padding = byte == 0 && mem::take(&mut self.after_cr);
        self.after_cr = byte == b'\r' && !self.theirs.binary;
        if !is_padding {
            data.push(byte);
        }
    }

    fn command(&mut self, byte: u8, data: &mut Vec<u8>) {
        match byte {
            IAC => self.data(IAC, data),
            WILL | WONT | DO | DONT => self.state = State::Option(byte),
            SB => self.state = State::Sub(Vec::new()),
            // Go ahead, are you there, break and the like ask nothing of a client.
            _ => {}
        }
    }

    /// RFC 1143, shortened: only a change is answered, so that two ends never argue for ever.
    fn option(&mut self, verb: u8, option: u8, replies: &mut Vec<u8>) -> Option<Said> {
        let wanted = matches!(verb, WILL | DO);
        let by_us = matches!(verb, DO | DONT);
        let set = if by_us { &mut self.ours } else { &mut self.theirs };
        let (yes, no) = if by_us { (WILL, WONT) } else { (DO, DONT) };
        let acceptable = !(by_us && option == ECHO);
        match set.slot(option).filter(|_| acceptable) {
            Some(on) if *on != wanted => {
                *on = wanted;
                replies.extend([IAC, if wanted { yes } else { no }, option]);
            }
            Some(_) => {}
            None if wanted => replies.extend([IAC, no, option]),
            None => {}
        }
        (option == COM_PORT && by_us).then_some(Said::ComPort(wanted))
    }
}

fn with(mut sub: Vec<u8>, byte: u8) -> Vec<u8> {
    if sub.len() < LONGEST {
        sub.push(byte);
    }
    sub
}

fn ended(sub: &[u8]) -> Option<Said> {
    match sub {
        [COM_PORT, command, value @ ..] => Some(Said::Sub(*command, value.to_vec())),
        _ => None,
    }
}

/// Data as it is sent: `IAC` twice.
pub(super) fn escaped(bytes: &[u8], to: &mut Vec<u8>) {
    for &byte in bytes {
        to.push(byte);
        if byte == IAC {
            to.push(IAC);
        }
    }
}

/// A subnegotiation of the port's settings.
pub(super) fn sub(command: u8, value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![IAC, SB, COM_PORT, command];
    escaped(value, &mut bytes);
    bytes.extend([IAC, SE]);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All at once and byte by byte; both must be the same.
    fn taken(bytes: &[u8]) -> (Vec<u8>, Vec<u8>, Vec<Said>) {
        let run = |pieces: std::slice::Chunks<'_, u8>| {
            let mut telnet = Telnet::default();
            telnet.greet();
            let (mut data, mut replies, mut said) = (Vec::new(), Vec::new(), Vec::new());
            pieces.for_each(|piece| said.extend(telnet.take(piece, &mut data, &mut replies)));
            (data, replies, said)
        };
        let whole = run(bytes.chunks(bytes.len().max(1)));
        assert_eq!(run(bytes.chunks(1)), whole);
        whole
    }

    #[test]
    fn data_is_told_from_commands() {
        assert_eq!(taken(b"a\xff\xffb\0\r\0c").0, b"a\xffb\0\r\0c", "binary: a NUL is data");
        assert_eq!(taken(&[b'a', IAC, 246, b'b', IAC, 249, b'c']).0, b"abc");
    }

    #[test]
    fn telnet_option_answers() {
        let (_, replies, said) = taken(&[IAC, DO, BINARY, IAC, WILL, BINARY, IAC, DO, COM_PORT]);
        assert_eq!((replies, said), (vec![], vec![Said::ComPort(true)]));
        assert_eq!(taken(&[IAC, DO, 31, IAC, WILL, 24, IAC, DONT, 31]).1, [IAC, WONT, 31, IAC, DONT, 24]);
        assert_eq!(taken(&[IAC, WILL, ECHO, IAC, DO, ECHO]).1, [IAC, DO, ECHO, IAC, WONT, ECHO]);
        assert_eq!(taken(&[IAC, DONT, COM_PORT]).2, [Said::ComPort(false)]);
    }

    #[test]
    fn an_answer_may_have_any_byte() {
        let bytes = sub(101, &[0, 255, 240, 0]);
        assert_eq!(bytes, [IAC, SB, COM_PORT, 101, 0, 255, 255, 240, 0, IAC, SE]);
        assert_eq!(taken(&bytes).2, [Said::Sub(101, vec![0, 255, 240, 0])]);
    }

    #[test]
    fn a_subnegotiation_without_end_does_not_grow() {
        let mut telnet = Telnet::default();
        let (mut data, mut replies) = (Vec::new(), Vec::new());
        telnet.take(&[IAC, SB, COM_PORT], &mut data, &mut replies);
        telnet.take(&[7; 100_000], &mut data, &mut replies);
        let State::Sub(kept) = &telnet.state else { panic!("no subnegotiation") };
        assert!(kept.len() <= LONGEST && data.is_empty());
    }

    #[test]
    fn without_binary_mode_a_nul_after_a_cr_is_padding() {
        let mut telnet = Telnet::default();
        let (mut data, mut replies) = (Vec::new(), Vec::new());
        telnet.take(b"a\r\0b\0", &mut data, &mut replies);
        assert_eq!(data, b"a\rb\0");
    }
}
