//! How a request goes on after a plugin.

use crate::reply::Reply;

/// How a request goes on after a plugin.
///
/// The stage is what the plugin's method is for: `pre_request` before the controller,
/// `post_request` after it.
///
/// | | in `pre_request` | in `post_request` |
/// |---|---|---|
/// | [`Continue`](Self::Continue) | the next plugin, and then the controller | the next plugin, and then the client |
/// | [`Break`](Self::Break) | the controller | the client |
/// | [`Stop`](Self::Stop) | this is the answer: the post stage begins | this is the answer instead |
/// | an error or a panic | that is the answer: the post stage begins | that is the answer instead, which the next plugin sees |
///
/// "The controller" is always behind the security function of the group: no plugin goes round it.
///
/// ```
/// use nova_core::{Flow, status};
///
/// // What Nova sends for a stop without a reply.
/// let nothing_to_say = Flow::Stop(status(204));
/// ```
#[derive(Debug)]
pub enum Flow {
    /// To the next plugin.
    Continue,
    /// Past the other plugins of this stage.
    ///
    /// What stands behind this plugin does not look at the request, also where it protects, as
    /// `csrf` does.
    Break,
    /// Not at all: this is the answer. In `post_request`, it takes the place of the one that there
    /// was, with its headers.
    Stop(Reply),
}
