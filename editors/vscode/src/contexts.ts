import { commands, window, workspace } from "vscode";
import { activeFile } from "./commands/target";
import { type Disposable, disposeAll } from "./disposable";
import type { Knowledge } from "./knowledge";
import type { Places } from "./places";
import type { Claim } from "./protocol";
import { openFiles } from "./tabs";

/** What the menus, keys and views of the manifest ask for, so that each offers only what can be done. */
export class Contexts implements Disposable {
  private readonly told = new Map<string, string>();
  private held = 0;
  private readonly subscriptions: Disposable[];

  constructor(
    private readonly knowledge: Knowledge,
    private readonly places: Places,
  ) {
    const tell = () => {
      this.tell();
    };
    this.subscriptions = [
      knowledge.onChange(tell),
      places.onChange(tell),
      window.onDidChangeActiveTextEditor(tell),
      window.tabGroups.onDidChangeTabs(tell),
      workspace.onDidChangeConfiguration(tell),
    ];
    this.tell();
  }

  dispose(): void {
    disposeAll(this.subscriptions);
  }

  private tell(): void {
    const { knowledge } = this;
    const own = this.pathsOf(knowledge.ownClaims);
    const others = this.pathsOf(knowledge.othersClaims);
    this.set("state", knowledge.participation);
    this.set("ownPaths", own);
    this.set("othersPaths", others);
    this.set("holdsSomething", knowledge.ownClaims.length > 0);
    if (knowledge.ownClaims.length > this.held) {
      this.tickFirstStep();
    }
    this.held = knowledge.ownClaims.length;
    this.set("waitsInLine", knowledge.waiting.some(({ own: isOwn }) => isOwn === true));
    this.set("othersHold", knowledge.othersClaims.length > 0);
    this.set("machineIsHeld", knowledge.claimsOfMachine.length > 0);
    this.set("hasMessages", knowledge.messages.length > 0);
    this.set("hasUnread", knowledge.unread.length > 0);
    this.set("quiet", workspace.getConfiguration("deconflict").get<boolean>("quiet", false));
    const file = activeFile()?.fsPath;
    const front = file === undefined ? "none" : others.includes(file) ? "others" : own.includes(file) ? "own" : "free";
    this.set("front", front);
  }

  /** Ticks the walkthrough's first step. A context that is already true when the walkthrough is first shown never ticks one. */
  private tickFirstStep(): void {
    this.set("claimedJustNow", true);
    this.set("claimedJustNow", false);
  }

  /** The claimed files and folders, and the open files that are claimed with a folder. */
  private pathsOf(claims: readonly Claim[]): string[] {
    const claimed = claims.map((claim) => this.places.uriOf(claim.path)?.fsPath).filter((path) => path !== undefined);
    const open = openFiles().filter((uri) => this.places.claimsOf(uri, claims).length > 0);
    return [...new Set([...claimed, ...open.map((uri) => uri.fsPath)])];
  }

  private set(name: string, value: unknown): void {
    const text = JSON.stringify(value);
    if (this.told.get(name) !== text) {
      this.told.set(name, text);
      void commands.executeCommand("setContext", `deconflict.${name}`, value);
    }
  }
}
