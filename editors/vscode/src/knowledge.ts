import { EventEmitter } from "vscode";
import type { Claim, Finding, Message, Session, Status, StatusNotification } from "./protocol";
import type { Server } from "./server";
import { type Disposable, disposeAll } from "./disposable";

/** Changes are gathered for so many milliseconds before the server is asked what they are. */
const GATHERING = 80;

/** Whether and how Deconflict takes part in this window. */
export type Participation = "starting" | "stopped" | StatusNotification["state"];

/**
 * What is known of the others and of this session, read again whenever the server says that something changed. All that
 * is shown in this window comes from here.
 */
export class Knowledge implements Disposable {
  private readonly emitter = new EventEmitter<void>();
  readonly onChange = this.emitter.event;

  participation: Participation = "starting";
  session: { readonly session_id: string; readonly label: string } | null = null;
  sessions: readonly Session[] = [];
  claims: readonly Claim[] = [];
  messages: readonly Message[] = [];
  findings: readonly Finding[] = [];

  /** Until when sessions are muted, as the server was told. */
  private readonly mutedUntil = new Map<string, number>();
  private readonly subscriptions: Disposable[];
  private timer: NodeJS.Timeout | undefined;
  private reading = false;
  private isStale = false;
  private wasRead = false;
  private lastRead = "";

  constructor(private readonly server: Server) {
    this.subscriptions = [
      server.onStatus((status) => {
        this.participation = status.state;
        this.session = status.session;
        this.emitter.fire();
        this.readSoon();
      }),
      server.onChange(() => {
        this.readSoon();
      }),
      server.onLife((life) => {
        if (life === "running") {
          this.readSoon();
          return;
        }
        this.participation = life;
        this.wasRead = false;
        this.lastRead = "";
        this.mutedUntil.clear();
        this.session = null;
        this.sessions = [];
        this.claims = [];
        this.messages = [];
        this.findings = [];
        this.emitter.fire();
      }),
    ];
  }

  /** False while a server starts that will tell what others hold. */
  get isKnown(): boolean {
    return this.wasRead || this.participation === "stopped" || !this.server.hasFolder;
  }

  /** The sessions that something can be sent or given to. */
  get others(): readonly Session[] {
    return this.sessions.filter(
      (session) => session.own !== true && (session.state === "live" || session.state === "silent"),
    );
  }

  /** The sessions of which nothing is shown by itself at the moment. */
  get muted(): readonly Session[] {
    const now = Date.now();
    return this.others.filter(({ session_id }) => (this.mutedUntil.get(session_id) ?? 0) > now);
  }

  /** The server was told to mute a session for so many minutes; for none, to end it. */
  setMuted(session: string, minutes: number): void {
    this.mutedUntil.set(session, Date.now() + minutes * 60_000);
    this.emitter.fire();
  }

  get unread(): readonly Message[] {
    return this.messages.filter((message) => message.unread);
  }

  sessionOf(id: string | undefined): Session | undefined {
    return this.sessions.find((session) => session.session_id === id);
  }

  /** Reads everything anew. */
  async read(): Promise<void> {
    if (this.reading) {
      this.isStale = true;
      return;
    }
    this.reading = true;
    const [status, messages] = await Promise.all([
      this.server.query<Status>("status"),
      this.server.query<{ messages: readonly Message[] }>("messages", { unreadOnly: false }),
    ]);
    this.reading = false;
    // Lists that are drawn again and again never come to rest.
    const read = JSON.stringify([this.participation, status, messages]);
    if (this.server.life === "running" && read !== this.lastRead) {
      this.wasRead = this.participation !== "starting";
      this.lastRead = read;
      this.sessions = status?.sessions ?? this.sessions;
      this.claims = status?.claims ?? this.claims;
      this.findings = status?.coordinationNeeded ?? this.findings;
      this.messages = messages?.messages ?? this.messages;
      this.emitter.fire();
    }
    if (this.isStale) {
      this.isStale = false;
      this.readSoon();
    }
  }

  dispose(): void {
    clearTimeout(this.timer);
    disposeAll(this.subscriptions);
    this.emitter.dispose();
  }

  private readSoon(): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      void this.read();
    }, GATHERING);
  }
}
