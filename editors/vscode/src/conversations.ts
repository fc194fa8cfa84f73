import { randomBytes } from "node:crypto";
import { env, l10n, ViewColumn, type WebviewPanel, window } from "vscode";
import { type Disposable, disposeAll } from "./disposable";
import type { Knowledge } from "./knowledge";
import type { Places } from "./places";
import type { Message } from "./protocol";
import type { Server } from "./server";
import { MessageNode } from "./views/nodes";
import { clockTime, isBroadcast, oneLine, senderName } from "./words";

/** What the links of a conversation may do. */
const COMMANDS = ["deconflict.reply", "deconflict.openClaim", "deconflict.release"] as const;

/** Shows what this session and another wrote to each other, as a conversation with a link to answer it. */
export class Conversations implements Disposable {
  private readonly panels = new Map<string, WebviewPanel>();
  /** What each page shows: one that is drawn again loses where its reader was. */
  private readonly drawn = new WeakMap<WebviewPanel, string>();
  private readonly subscriptions: Disposable[];

  constructor(
    private readonly server: Server,
    private readonly knowledge: Knowledge,
    private readonly places: Places,
  ) {
    this.subscriptions = [
      knowledge.onChange(() => {
        this.refresh();
      }),
    ];
  }

  /** Shows what was written since, in what can be seen. */
  refresh(): void {
    for (const [peer, panel] of this.panels) {
      if (panel.visible) {
        void this.render(peer, panel, []);
      }
    }
  }

  /** Opens the conversation that a message is part of. */
  async show(message: Message): Promise<void> {
    const peer = message.from ?? "";
    const title = senderName(message);
    const known = this.panels.get(peer);
    const panel =
      known ??
      window.createWebviewPanel("deconflict.conversation", title, ViewColumn.Active, {
        enableCommandUris: COMMANDS,
        enableFindWidget: true,
      });
    if (known === undefined) {
      this.panels.set(peer, panel);
      panel.onDidDispose(() => this.panels.delete(peer));
    }
    panel.reveal();
    await this.render(peer, panel, [message]);
  }

  /** The newest message of the conversation in front. */
  inFront(): Message | undefined {
    const peer = [...this.panels].find(([, panel]) => panel.active)?.[0];
    return this.knowledge.messages.filter(({ from }) => from !== undefined && from === peer).at(-1);
  }

  dispose(): void {
    disposeAll(this.subscriptions);
    disposeAll([...this.panels.values()]);
  }

  /** What the user has before them is read. */
  private async render(peer: string, panel: WebviewPanel, fallback: readonly Message[]): Promise<void> {
    const answer = peer === "" ? undefined : await this.server.query<{ messages: readonly Message[] }>("messages", { with: peer });
    const messages = answer === undefined || answer.messages.length === 0 ? fallback : answer.messages;
    if (messages.length === 0) {
      return;
    }
    const [entries, links] = [messages.map((message) => this.entry(message)).join("\n"), this.links(messages)];
    if (this.drawn.get(panel) !== entries + links) {
      this.drawn.set(panel, entries + links);
      panel.webview.html = page(panel.title, entries, links);
    }
    const unread = messages.filter((message) => message.unread).map(({ id }) => id);
    if (unread.length > 0) {
      await this.server.query("markRead", { ids: unread });
      await this.knowledge.read();
    }
  }

  private entry(message: Message): string {
    const isOwn = message.from !== undefined && message.from === this.knowledge.session?.session_id;
    const who = isOwn ? l10n.t("You") : senderName(message);
    const about = this.about(message);
    const facts = [
      `<strong>${escaped(who)}</strong>`,
      `<time>${escaped(clockTime(message.timestamp))}</time>`,
      isBroadcast(message) ? escaped(l10n.t("to all")) : "",
      about,
    ].filter((part) => part !== "");
    const subject = oneLine(message.subject ?? "", 200);
    const text = escaped(plain(message.message));
    const isNew = !isOwn && message.unread;
    return `<article class="${isOwn ? "own" : "theirs"}${isNew ? " new" : ""}">
<header>${facts.join(" · ")}</header>
${subject === "" ? "" : `<h2>${escaped(subject)}</h2>`}
<p>${text}</p>
</article>`;
  }

  private about(message: Message): string {
    const name = oneLine(message.display_name ?? "", 200);
    const uri = this.places.uriOf(message.path);
    if (name === "") {
      return "";
    }
    return uri === undefined ? escaped(name) : link("deconflict.openClaim", { uri: uri.toString() }, name);
  }

  private links(messages: readonly Message[]): string {
    const own = this.knowledge.session?.session_id;
    const newest = messages.filter(({ from }) => from !== own).at(-1);
    if (newest?.from === undefined) {
      return "";
    }
    const { resource, type } = newest;
    const held = this.knowledge.ownClaims.some((claim) => `${claim.resource_type}/${claim.resource_name}` === resource);
    const release = type === "release_request" && held ? link("deconflict.release", { resource }, l10n.t("Release"), "button") : "";
    return link("deconflict.reply", { message: newest.id }, l10n.t("Reply…"), "button") + release;
  }
}

/** The message that a link of a conversation is about. */
export function messageOfLink(argument: unknown, messages: readonly Message[]): MessageNode | undefined {
  const id = typeof argument === "object" && argument !== null && "message" in argument ? argument.message : undefined;
  const message = messages.find((known) => known.id === id);
  return message === undefined ? undefined : new MessageNode(message);
}

function page(title: string, entries: string, links: string): string {
  const nonce = randomBytes(16).toString("base64");
  const head = `<meta charset="UTF-8"><meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'nonce-${nonce}'">`;
  return `<!DOCTYPE html><html lang="${escaped(env.language)}"><head>${head}<title>${escaped(title)}</title><style nonce="${nonce}">${STYLE}</style></head>
<body><main aria-label="${escaped(l10n.t("Conversation with {0}", title))}">${entries}</main><footer>${links}</footer></body></html>`;
}

const STYLE = `
body { max-width: 48em; padding: 1em 1.5em; font-size: var(--vscode-font-size); line-height: 1.5; }
article { margin: 0 3em 1em 0; padding: .6em 1em; border-radius: 6px; border: 1px solid var(--vscode-widget-border, var(--vscode-contrastBorder, transparent)); background: var(--vscode-textBlockQuote-background, transparent); }
article.own { margin: 0 0 1em 3em; }
article.new { border-left: 3px solid var(--vscode-notificationsInfoIcon-foreground, currentColor); }
header { color: var(--vscode-descriptionForeground); font-size: .92em; }
header strong { color: var(--vscode-foreground); }
h2 { font-size: 1em; font-weight: 600; margin: .4em 0 0; }
p { margin: .3em 0 0; white-space: pre-wrap; overflow-wrap: anywhere; }
a.button { display: inline-block; margin-right: .6em; padding: .3em 1em; border-radius: 3px; text-decoration: none; color: var(--vscode-button-foreground); background: var(--vscode-button-background); border: 1px solid var(--vscode-button-border, transparent); }
a.button:hover { background: var(--vscode-button-hoverBackground); }
`;

function link(command: string, argument: unknown, text: string, kind = ""): string {
  const target = `command:${command}?${encodeURIComponent(JSON.stringify([argument]))}`;
  return `<a class="${kind}" href="${escaped(target)}">${escaped(text)}</a>`;
}

/** Whatever steers a terminal or turns the direction of writing has no place here; line breaks have. */
function plain(text: string): string {
  return text.replace(/\r\n?/g, "\n").replace(/[^\P{C}\n\t]/gu, "�");
}

/** Others' text is never markup. */
function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
