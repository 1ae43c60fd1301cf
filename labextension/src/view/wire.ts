/** The browser's end of the channel to Python: what comes is taken one after the other, inflated. */
import { inflated } from './changes';

/** What anywidget hands over. */
export interface Model {
  get(name: string): unknown;
  send(message: unknown): void;
  on(event: 'msg:custom', handler: Receive): void;
  on(event: 'comm_live_update', handler: () => void): void;
  off(event: 'msg:custom', handler: Receive): void;
  off(event: 'comm_live_update', handler: () => void): void;
}

type Receive = (message: Message, buffers?: BlobPart[]) => void;

export interface Message {
  type: string;
}

/** Return a message; what comes as `{type: "packed"}` stands deflated in the first buffer. */
export async function unpacked(message: Message, buffers?: BlobPart[]): Promise<Message> {
  const [packed] = buffers ?? [];
  return message.type === 'packed' && packed ? JSON.parse(await inflated(packed)) : message;
}

/**
 * Tell Python `{type: "ready"}`, and hand what it sends to `take`, in order.
 *
 * @param take is not called again once the channel is closed; what it throws is logged
 * @returns what closes the channel
 */
export function listen(
  model: Model,
  take: (message: Message, buffers?: BlobPart[]) => void | Promise<void>
): () => void {
  let closed = false;
  // Messages are inflated one after the other: a later one must not overtake.
  let queue = Promise.resolve();
  const receive: Receive = (message, buffers) => {
    queue = queue
      .then(async () => {
        const whole = await unpacked(message, buffers);
        if (!closed) {
          await take(whole, buffers);
        }
      })
      .catch(error => console.error('portia_nb: a message could not be shown:', error));
  };
  model.on('msg:custom', receive);
  model.send({ type: 'ready' });
  return () => {
    closed = true;
    model.off('msg:custom', receive);
  };
}
