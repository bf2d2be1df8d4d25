//! The api's interface to the workers.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

use super::Notice;
use super::hub::Hub;
use crate::announce::say;
use crate::wire::{AudioHead, Hello, Peak, Report, Wish, line};

/// Takes connections for ever.
pub(super) async fn serve(listener: TcpListener, hub: Arc<Hub>) -> std::io::Result<()> {
    loop {
        // Of connections that cannot be taken (no descriptor is free) the next may be.
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let hub = Arc::clone(&hub);
        // A broken connection needs no handling: the worker has ended, or is about to retry.
        tokio::spawn(async move { speak(stream, &hub).await });
    }
}

async fn speak(stream: TcpStream, hub: &Hub) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    let hello = tokio::time::timeout(HELLO_WITHIN, receive::<Hello>(&mut reader, LONGEST_HELLO));
    let Some(hello) = hello.await.map_err(std::io::Error::other)?? else { return Ok(()) };
    if !hub.knows(&hello.token) {
        return Ok(());
    }
    match hello.wish {
        Wish::Work { pid } => work(reader, writer, pid, hub).await,
        Wish::Audio { task_id } => {
            let audio = hub.with(|ledger| ledger.take_audio(&task_id));
            let bytes = audio.as_ref().map(|audio| audio.len() as u64);
            send(&mut writer, &AudioHead { bytes }).await?;
            writer.write_all(audio.as_deref().unwrap_or_default()).await
        }
        Wish::Peak { task_id } => {
            let outstanding = hub.with(|ledger| ledger.peak(&task_id));
            send(&mut writer, &Peak { outstanding }).await
        }
    }
}

/// Sends orders and receives reports until the worker has ended.
async fn work(
    mut reader: BufReader<OwnedReadHalf>,
    mut writer: OwnedWriteHalf,
    pid: u32,
    hub: &Hub,
) -> std::io::Result<()> {
    let (worker, mut orders) = hub.connect();
    say(&Notice::Connected { pid });
    let deliver = async {
        while let Some(order) = orders.recv().await {
            send(&mut writer, &order).await?;
        }
        Ok(())
    };
    let collect = async {
        while let Some(report) = receive::<Report>(&mut reader, LONGEST).await? {
            hub.finish(worker, report);
        }
        Ok(())
    };
    let ended = tokio::select! { ended = deliver => ended, ended = collect => ended };
    hub.disconnect(worker);
    ended
}

/// The longest message, in bytes: a report has the stretches of speech of a whole recording.
const LONGEST: u64 = 4 << 20;

/// The longest first line, in bytes: whoever sends it has not shown the secret yet.
const LONGEST_HELLO: u64 = 1024;

/// How long a connection may take for its first line.
const HELLO_WITHIN: Duration = Duration::from_secs(10);

/// The next message of at most `longest` bytes, or nothing at the end of the stream.
async fn receive<T: DeserializeOwned>(
    reader: &mut BufReader<OwnedReadHalf>,
    longest: u64,
) -> std::io::Result<Option<T>> {
    let mut text = String::new();
    if reader.take(longest).read_line(&mut text).await? == 0 {
        return Ok(None);
    }
    if text.len() as u64 == longest && !text.ends_with('\n') {
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, "a message is too long"));
    }
    Ok(Some(serde_json::from_str(&text)?))
}

async fn send(writer: &mut OwnedWriteHalf, message: &impl Serialize) -> std::io::Result<()> {
    writer.write_all(line(message)?.as_bytes()).await
}
