// The shapes that the server sends and the page's modules exchange.

/** An event of the log, as the server sends it. */
export interface ChatEvent {
  /** Its id in the log; 0 if it is not in the log. */
  id: number;
  /** RFC 3339. */
  time: string;
  source: string;
  command: string;
  params: string[];
  /** Present if this device sent it. */
  label?: string;
  /** The app that sent it in the session's name. */
  app?: string;
  /** Whether this session is the source, by the nick that it had at that time. */
  mine?: boolean;
  local?: undefined;
}

/** A local line, which the page itself adds to a conversation. */
export interface LocalLine {
  local: true;
  /** The event after which it stands. */
  id: number;
  time: string;
  text: string;
  kind: LineKind;
  action?: { name: string; run: () => void };
}

export type LineKind = "reply" | "server" | "gap";
export type LineOptions = {
  kind?: LineKind;
  time?: string;
  action?: LocalLine["action"];
};
export type Item = ChatEvent | LocalLine;

/** A message that is not known to be in the log yet. */
export interface PendingMessage {
  label: string;
  command: "PRIVMSG";
  params: [target: string, text: string];
  source: string;
  time: string;
  state?: "sending" | "waiting" | "lost" | "refused";
  error?: string;
  /** The ids of its events, once the server has answered. */
  ids?: number[];
}

/** An answer to a command. */
export interface Reply {
  command: string;
  params: string[];
}

export interface Member {
  nick: string;
  op: boolean;
  voice: boolean;
  away: boolean;
}

export interface Topic {
  text: string;
  set_by: string;
  set_at: string;
}

/** The read marker of a conversation, and what is unread after it. */
export interface ReadState {
  read: number;
  unread: { count: number; mention: boolean };
}

/** `GET /session`. */
export interface Snapshot {
  session: { nick: string; has_password: boolean; away?: string };
  client: { id: number };
  /** The position of the log at the snapshot. */
  cursor: number;
  acknowledged: number;
  channels: (ReadState & {
    name: string;
    topic: Topic | null;
    modes: string;
    members: Member[];
  })[];
  directs: (ReadState & { nick: string; session: number; ended?: boolean })[];
}

/** Why a session is over for this device, as the server names it. */
export type EndReason = string | undefined;
