import { commands, l10n, window, workspace } from "vscode";
import { type Disposable, disposeAll } from "./disposable";
import { Gathering } from "./gathering";
import type { Knowledge } from "./knowledge";
import type { Finding } from "./protocol";

/** Tells the holder that somebody else begins to edit what they hold: once, as long as they hold it. */
export class ContendedNotices implements Disposable {
  private readonly told = new Set<string>();
  private readonly gathering = new Gathering<Finding>((all) => {
    // Who saved meanwhile is told of by what was lost, and who took it back by nothing.
    const still = all.filter((one) => this.knowledge.contended.some((other) => keyOf(other) === keyOf(one)));
    void this.show(still);
  });
  private readonly subscription: Disposable;
  /** What this session edited in others' way, and holds now or still edits so: whoever took something over knows who edited it. */
  private contending = new Set<string>();

  constructor(private readonly knowledge: Knowledge) {
    this.subscription = knowledge.onChange(() => {
      this.look();
    });
  }

  dispose(): void {
    disposeAll([this.subscription, this.gathering]);
  }

  private look(): void {
    const held = new Set(this.knowledge.ownClaims.map(({ resource_name: name }) => name));
    for (const key of this.told) {
      if (!held.has(fileOf(key))) {
        this.told.delete(key);
      }
    }
    for (const finding of this.knowledge.contended) {
      const key = keyOf(finding);
      if (!this.told.has(key) && !this.contending.has(finding.resource_name ?? "")) {
        this.gathering.add(finding);
      }
      this.told.add(key);
    }
    const own = this.knowledge.findings.filter(({ session }) => this.knowledge.isOwn(session?.session_id));
    const taken = [...this.contending].filter((name) => held.has(name));
    this.contending = new Set([...taken, ...own.map(({ resource_name: name }) => name ?? "")]);
  }

  private async show(all: readonly Finding[]): Promise<void> {
    const [first, ...more] = all;
    if (first === undefined || workspace.getConfiguration("deconflict").get<boolean>("quiet", false)) {
      return;
    }
    const sentence = this.knowledge.sentenceOf(first);
    const text = more.length === 0 ? l10n.t("{0}.", sentence) : l10n.t("{0}, and {1} more of your files are edited by others.", sentence, more.length);
    const talk = l10n.t("Send Message…");
    if ((await window.showInformationMessage(text, talk)) === talk) {
      await commands.executeCommand("deconflict.sendMessage", { to: first.session?.session_id });
    }
  }
}

function keyOf({ resource_name: name, session }: Finding): string {
  return `${session?.session_id ?? ""} ${name ?? ""}`;
}

function fileOf(key: string): string {
  return key.slice(key.indexOf(" ") + 1);
}
