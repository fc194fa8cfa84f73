import { type LogOutputChannel, type Uri, workspace } from "vscode";

/** What the extension decides by itself, for whoever wonders why: one line each in the output channel, at debug level. */
export class Log {
  constructor(private readonly channel: LogOutputChannel) {}

  /** Something was decided, about a file perhaps. */
  decided(what: string, about?: Uri, detail?: string): void {
    const parts = [what, about === undefined ? "" : workspace.asRelativePath(about), detail ?? ""];
    this.channel.debug(parts.filter((part) => part !== "").join(": "));
  }

  /** How things stand, which is worth a line without being asked for. */
  fact(text: string): void {
    this.channel.info(text);
  }
}
