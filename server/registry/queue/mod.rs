//! Waiting in turn: whoever waits for something has a ticket, and who came first is served first.
//!
//! A ticket in front of mine that could be served keeps me from what we both want, until it is. One that does not take what
//! it could have within five seconds is passed. One that waits for several things lets others use those of them that are
//! free, but not for longer than ten minutes. A wait that could never end is refused at once (protocol page, "Queues").

mod circle;
mod deciding;
mod ends;
mod picking;
mod places;
mod ticket;
mod waiter;

pub(super) use deciding::wake_who_waits;

pub use circle::CircleLink;
pub use deciding::{Queued, Taken, Taker, Turn};
pub use places::PlaceInLine;
pub use ticket::{StoredTicket, TicketKey};
pub use waiter::{Step, Waiter, Waker};
