//! Bodies on their way through: streamed, timed, and with trailers that only say what their sender may say.
//!
//! Promises: one frame is in memory at a time, back-pressure goes through; a request body or response body that stalls
//! fails, so that the other side learns that it is incomplete; a response holds its tenant's session until its end.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::sync::watch;

use super::headers;
use super::patience::Patience;
use super::sessions::Session;

/// Why a body came to an early end.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyError {
    /// Nothing came for too long.
    #[error("the body stalled")]
    Stalled,
    /// The sender broke off or broke the protocol.
    #[error("read the body")]
    Broken(#[source] hyper::Error),
}

/// How an upload is getting on, for whoever waits for the response.
#[derive(Debug)]
pub(super) struct Upload {
    failure: AtomicU8,
    frames: watch::Sender<u64>,
}

/// How an upload failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum UploadFailure {
    /// The client sent nothing for too long.
    Stalled,
    /// The client broke off or broke the protocol.
    Broken,
}

impl Upload {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { failure: AtomicU8::new(0), frames: watch::Sender::new(0) })
    }

    /// Whether it failed, and how.
    pub(super) fn failure(&self) -> Option<UploadFailure> {
        match self.failure.load(Ordering::Acquire) {
            0 => None,
            1 => Some(UploadFailure::Stalled),
            _ => Some(UploadFailure::Broken),
        }
    }

    /// Sees every frame that the app takes.
    pub(super) fn progress(&self) -> watch::Receiver<u64> {
        self.frames.subscribe()
    }

    fn fail(&self, failure: UploadFailure) {
        let code = match failure {
            UploadFailure::Stalled => 1,
            UploadFailure::Broken => 2,
        };
        self.failure.store(code, Ordering::Release);
    }
}

/// A request's body on its way to the app.
#[derive(Debug)]
pub(super) struct RequestBody {
    stream: Timed,
    upload: Arc<Upload>,
}

impl RequestBody {
    pub(super) fn new(body: Incoming, idle_timeout: Duration, upload: Arc<Upload>) -> Self {
        Self { stream: Timed::new(body, idle_timeout, headers::is_ours), upload }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = ready!(self.stream.poll_frame(cx));
        match &frame {
            Some(Err(BodyError::Stalled)) => self.upload.fail(UploadFailure::Stalled),
            Some(Err(BodyError::Broken(_))) => self.upload.fail(UploadFailure::Broken),
            Some(Ok(_)) | None => self.upload.frames.send_modify(|frames| *frames += 1),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.stream.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.stream.body.size_hint()
    }
}

/// A response's body on its way to the client.
#[derive(Debug)]
pub(super) enum ResponseBody {
    /// Our own words.
    Own(Full<Bytes>),
    /// The app's.
    App(AppBody),
}

/// A body of the app's; the session is over when this is dropped.
#[derive(Debug)]
pub(super) struct AppBody {
    stream: Timed,
    _session: Session,
}

impl ResponseBody {
    pub(super) fn own(text: impl Into<Bytes>) -> Self {
        Self::Own(Full::new(text.into()))
    }

    pub(super) fn app(body: Incoming, idle_timeout: Duration, session: Session) -> Self {
        Self::App(AppBody { stream: Timed::new(body, idle_timeout, headers::is_ours_in_response), _session: session })
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Self::Own(text) => Pin::new(text).poll_frame(cx).map_err(|never| match never {}),
            Self::App(body) => body.stream.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(text) => text.is_end_stream(),
            Self::App(body) => body.stream.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(text) => text.size_hint(),
            Self::App(body) => body.stream.body.size_hint(),
        }
    }
}

/// A body whose sender may not stall and whose trailers are cleaned.
#[derive(Debug)]
struct Timed {
    body: Incoming,
    patience: Patience,
    ours: fn(&str) -> bool,
}

impl Timed {
    const fn new(body: Incoming, idle_timeout: Duration, ours: fn(&str) -> bool) -> Self {
        Self { body, patience: Patience::new(idle_timeout), ours }
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) else {
            return self.patience.poll_over(cx).map(|()| Some(Err(BodyError::Stalled)));
        };
        self.patience.moved();
        let ours = self.ours;
        Poll::Ready(frame.map(|frame| frame.map(|frame| without_ours(frame, ours)).map_err(BodyError::Broken)))
    }
}

fn without_ours(frame: Frame<Bytes>, ours: fn(&str) -> bool) -> Frame<Bytes> {
    match frame.into_trailers() {
        Ok(mut trailers) => {
            headers::clean_trailers(&mut trailers, ours);
            Frame::trailers(trailers)
        }
        Err(frame) => frame,
    }
}
