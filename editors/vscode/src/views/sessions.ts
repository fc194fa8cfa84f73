import { basename } from "node:path";
import { l10n, ThemeColor, ThemeIcon, TreeItem, TreeItemCollapsibleState } from "vscode";
import type { Knowledge } from "../knowledge";
import { type Claim, isHere, isWaiting, type Session, type SessionState } from "../protocol";
import { ago, clockTime, moment, oneLine, sentence, sessionName, table } from "../words";
import { claimItem } from "./claims";
import { ClaimNode, GroupNode, type Node, SessionNode } from "./nodes";
import { List } from "./refresh";
import type { Places } from "../places";

/** Alive first; those that are gone or done last. */
const ORDER: Record<SessionState, number> = { live: 0, silent: 1, gone: 2, completed: 3 };

/** Who left longer ago than this, in milliseconds, is not listed. */
const HOUR = 60 * 60_000;

/** Who is here: this session first, what each works on and holds, and what needs coordinating. */
export class SessionsList extends List<Node> {
  constructor(
    knowledge: Knowledge,
    private readonly places: Places,
  ) {
    super("deconflict.sessions", knowledge);
  }

  getChildren(element?: Node): Node[] {
    if (element === undefined) {
      const repositories = this.repositories();
      return repositories.length > 1
        ? repositories.map((name) => new GroupNode("repository", name, this.inOrder(name)))
        : this.grouped(this.inOrder());
    }
    if (element.kind === "group") {
      return element.what === "repository" ? this.grouped(element.sessions, element.name) : element.sessions.map((one) => new SessionNode(one));
    }
    return element.kind === "session" ? this.claimsOf(element.session) : [];
  }

  /** The folders whose sessions the window sees, in a window with several. */
  private repositories(): string[] {
    const names = this.knowledge.sessions.map(({ repository }) => repository).filter((name) => typeof name === "string");
    // In the order of what is shown of them.
    return [...new Set(names)].sort((a, b) => basename(a).localeCompare(basename(b)) || a.localeCompare(b));
  }

  private inOrder(repository?: string): Session[] {
    return this.knowledge.sessions
      .filter((session) => repository === undefined || session.repository === repository)
      .sort(
        (a, b) =>
          Number(b.own === true) - Number(a.own === true) ||
          ORDER[a.state] - ORDER[b.state] ||
          a.label.localeCompare(b.label) ||
          a.session_id.localeCompare(b.session_id),
      );
  }

  /** Who is here now, which agents wait for their users, and who left in the last hour. One group alone needs no heading. */
  private grouped(sessions: readonly Session[], within = ""): Node[] {
    const left = (session: Session) => !isHere(session);
    const hourAgo = Date.now() - HOUR;
    const groups = [
      new GroupNode("here", within, sessions.filter((session) => isHere(session) && !isWaiting(session))),
      new GroupNode("waiting", within, sessions.filter((session) => isHere(session) && isWaiting(session))),
      new GroupNode("left", within, sessions.filter((session) => left(session) && endOf(session) >= hourAgo)),
    ].filter((group) => group.sessions.length > 0);
    const [only, ...more] = groups;
    return only?.what === "here" && more.length === 0 ? only.sessions.map((session) => new SessionNode(session)) : groups;
  }

  getTreeItem(element: Node): TreeItem {
    if (element.kind === "claim") {
      return claimItem(element.claim, this.places, Date.now(), true);
    }
    if (element.kind === "group") {
      return groupItem(element);
    }
    return element.kind === "session" ? this.sessionItem(element.session) : new TreeItem("");
  }

  protected override refreshed(): void {
    const { concerns } = this.knowledge;
    const [first, ...more] = concerns.map((finding) => `⚠ ${this.knowledge.sentenceOf(finding)}`);
    // The sentence may be scrolled out of sight; the title stays.
    this.view.description = concerns.length === 0 ? "" : `⚠ ${concerns.length}`;
    this.view.message =
      first === undefined || more.length === 0 ? (first ?? "") : l10n.t("{0} ({1} more on the status board)", first, more.length);
  }

  private claimsOf(session: Session): ClaimNode[] {
    const isHolder = ({ claimed_by: holder, repository }: Claim) =>
      holder === session.session_id && (repository ?? null) === (session.repository ?? null);
    const held = this.knowledge.claims.filter(isHolder);
    return held.map((claim) => new ClaimNode(claim));
  }

  private sessionItem(session: Session): TreeItem {
    const now = Date.now();
    const held = this.claimsOf(session).length;
    const isMuted = this.knowledge.muted.includes(session);
    const name = sentence(sessionName(session));
    const item = new TreeItem(
      name,
      held > 0 ? TreeItemCollapsibleState.Collapsed : TreeItemCollapsibleState.None,
    );
    item.id = `session ${session.session_id}`;
    const facts = [
      session.own === true ? l10n.t("you") : undefined,
      session.own === true || session.state === "live" ? undefined : stateWord(session.state),
      isMuted ? l10n.t("muted") : undefined,
      oneLine(session.current_work ?? ""),
      oneLine(session.progress ?? "", 20),
    ].filter((part) => part !== undefined && part !== "");
    item.description = facts.join(" · ");
    item.iconPath = stateIcon(session);
    item.contextValue = `session ${session.own === true ? "own" : "other"} ${session.state}${isMuted ? " muted" : ""}`;
    item.tooltip = table(oneLine(session.label), [
      [l10n.t("State"), stateWord(session.state)],
      [l10n.t("Works on"), session.current_work],
      [l10n.t("Phase"), session.phase],
      [l10n.t("Progress"), session.progress],
      [l10n.t("Next"), session.next_action],
      [l10n.t("Expects to be done"), session.estimated_completion],
      [l10n.t("Editor or agent"), session.client],
      [l10n.t("User"), session.user],
      [l10n.t("Branch"), session.branch],
      [l10n.t("Worktree"), session.worktree],
      [l10n.t("Here since"), clockTime(session.started_at, now)],
      [l10n.t("Last sign"), ago(session.last_heartbeat, now)],
    ]);
    const state = session.state === "live" || session.own === true ? [stateWord(session.state)] : [];
    const holds = held === 0 ? [] : [held === 1 ? l10n.t("holds one thing") : l10n.t("holds {0} things", held)];
    item.accessibilityInformation = { label: [name, ...state, ...facts, ...holds].join(", ") };
    return item;
  }
}

/** When a session left, as far as anybody knows. */
function endOf(session: Session): number {
  return moment(session.ended_at) ?? moment(session.last_sign) ?? moment(session.last_heartbeat) ?? 0;
}

function groupItem(group: GroupNode): TreeItem {
  const { Collapsed, Expanded } = TreeItemCollapsibleState;
  const item = new TreeItem(groupName(group), group.what === "left" ? Collapsed : Expanded);
  item.id = `group ${group.what} ${group.name}`;
  item.contextValue = "group";
  item.description = group.what === "repository" ? "" : `${group.sessions.length}`;
  const count = group.sessions.length;
  const sessions = count === 1 ? l10n.t("one session") : l10n.t("{0} sessions", count);
  item.accessibilityInformation = { label: `${groupName(group)}, ${sessions}` };
  if (group.what === "repository") {
    item.iconPath = new ThemeIcon("repo");
    item.tooltip = group.name;
  }
  return item;
}

function groupName({ what, name }: GroupNode): string {
  switch (what) {
    case "repository":
      return basename(name);
    case "here":
      return l10n.t("Here Now");
    case "waiting":
      return l10n.t("Agents Waiting for Their User");
    case "left":
      return l10n.t("Left in the Last Hour");
  }
}

function stateWord(state: SessionState): string {
  switch (state) {
    case "live":
      return l10n.t("here");
    case "silent":
      return l10n.t("silent");
    case "gone":
      return l10n.t("closed unexpectedly");
    case "completed":
      return l10n.t("left");
  }
}

function stateIcon(session: Session): ThemeIcon {
  switch (session.state) {
    case "live":
      return session.own === true
        ? new ThemeIcon("account", new ThemeColor("deconflict.heldByYouForeground"))
        : new ThemeIcon("circle-filled", new ThemeColor("testing.iconPassed"));
    case "silent":
      return new ThemeIcon("circle-outline", new ThemeColor("list.warningForeground"));
    case "gone":
      return new ThemeIcon("circle-slash", new ThemeColor("disabledForeground"));
    case "completed":
      return new ThemeIcon("pass", new ThemeColor("disabledForeground"));
  }
}
