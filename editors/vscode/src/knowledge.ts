import { EventEmitter } from "vscode";
import { blocks, isHere, type Claim, type Finding, type Message, type Place, type Session, type Status, type StatusNotification } from "./protocol";
import type { Server } from "./server";
import { type Disposable, disposeAll } from "./disposable";
import { oneLine, sentence } from "./words";

/** Changes are gathered for so many milliseconds before the server is asked what they are. */
const GATHERING = 80;
/** What needs talking about is cut after so many characters. */
const LONGEST_FINDING = 160;

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
  /** Who waits in line, also for what the machine has once. */
  waiting: readonly Place[] = [];
  /** Who has what of what the machine has once, for all clones. */
  claimsOfMachine: readonly Claim[] = [];
  messages: readonly Message[] = [];
  findings: readonly Finding[] = [];

  private readonly logged = new Set<string>();
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
        this.session = null;
        this.sessions = [];
        this.claims = [];
        this.waiting = [];
        this.claimsOfMachine = [];
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
    const own = this.sessions.filter((session) => session.own === true);
    const isMuted = ({ muted }: Session, id: string) => Date.parse(muted?.[id] ?? "") > Date.now();
    return this.others.filter(({ session_id: id }) => own.some((session) => isMuted(session, id)));
  }

  /** The window goes on with its sessions when it is loaded again. */
  private rememberOwn(): void {
    const own = this.sessions.filter((session) => session.own === true);
    this.server.rememberSessions(own.map(({ session_id }) => session_id));
    for (const { session_id: id, label, repository } of own) {
      if (!this.logged.has(id)) {
        this.logged.add(id);
        this.server.output.info(`session ${id} ("${label}") in ${repository ?? "?"}, process ${process.pid}`);
      }
    }
  }

  get unread(): readonly Message[] {
    return this.messages.filter((message) => message.unread);
  }

  /** True for another session of the same person on the same machine: another window, or an agent of theirs. */
  isOfSamePerson(id: string | undefined): boolean {
    const own = this.sessions.find((session) => session.own === true);
    const other = this.sessionOf(id);
    return (
      own !== undefined &&
      other !== undefined &&
      own.user !== undefined &&
      own.user === other.user &&
      own.host === other.host &&
      own.person === other.person &&
      // A shell's claims are made by hand, so they are meant.
      (other.agent !== undefined || other.keepalive !== undefined)
    );
  }

  /** The claims by which others keep something. */
  get othersClaims(): readonly Claim[] {
    return this.claims.filter((claim) => claim.own !== true && blocks(claim));
  }

  /** The claims of this session. */
  get ownClaims(): readonly Claim[] {
    return this.claims.filter((claim) => claim.own === true);
  }

  /** What needs coordinating by this session. What it changed itself of others' work is for these to decide, who were told. */
  get concerns(): readonly Finding[] {
    return this.findings.filter(({ by, owner }) => !this.isOwn(by?.session_id) || this.isOwnOrLeft(owner?.session_id));
  }

  /** What others took of this session's work and what was not settled since. */
  get losses(): readonly Finding[] {
    return this.findings.filter(({ kind, owner }) => (kind === "overwritten" || kind === "deleted") && this.isOwnOrLeft(owner?.session_id));
  }

  /** What this session holds and another person edits. */
  get contended(): readonly Finding[] {
    return this.findings.filter(
      ({ kind, session, holder }) =>
        kind === "edited_by_non_holder" &&
        this.isOwn(holder?.session_id) &&
        !this.isOwn(session?.session_id) &&
        !this.isOfSamePerson(session?.session_id),
    );
  }

  /** True for the session of this window. */
  isOwn(id: string | undefined): boolean {
    return this.sessionOf(id)?.own === true;
  }

  /** True for it, and for one of the same person that is over: what that one lost is told here. */
  private isOwnOrLeft(id: string | undefined): boolean {
    const session = this.sessionOf(id);
    return session !== undefined && (session.own === true || (!isHere(session) && session.agent === undefined && this.isOfSamePerson(id)));
  }

  /** A finding as a sentence of its own. */
  sentenceOf({ message }: Finding): string {
    const told = sentence(oneLine(message, LONGEST_FINDING));
    return /[.!?…]$/.test(told) ? told : `${told}.`;
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
      this.rememberOwn();
      this.claims = status?.claims ?? this.claims;
      if (status !== undefined) {
        this.waiting = [...status.waiting, ...status.machine.waiting];
        this.claimsOfMachine = status.machine.claims;
      }
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
