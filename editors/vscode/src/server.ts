import { EventEmitter, type ExtensionContext, l10n, LogOutputChannel, Uri, window, workspace } from "vscode";
import {
  CloseAction,
  type CloseHandlerResult,
  ErrorAction,
  type ErrorHandlerResult,
  LanguageClient,
  type LanguageClientOptions,
  RevealOutputChannelOn,
  State,
} from "vscode-languageclient/node";
import { type Binary, BinaryNotFound, findBinary } from "./binary";
import type { Answer, Notice, Refusal, StatusNotification } from "./protocol";
import type { Disposable } from "./disposable";
import { isBoard, previewBoard } from "./statusBoard";

/** A server that ends so many times in [`RESTART_WINDOW`] is not started again by itself. */
const MOST_RESTARTS = 4;
/** In milliseconds. */
const RESTART_WINDOW = 60_000;

/** Where the sessions are kept that this window has, so that it goes on with them when it is loaded again. */
const SESSIONS = "sessions";

/** What one hears of the server's life. */
export type Life = "starting" | "running" | "stopped";

/** The one server of this window. */
export class Server implements Disposable {
  private readonly statusEmitter = new EventEmitter<StatusNotification>();
  private readonly changeEmitter = new EventEmitter<void>();
  private readonly noticeEmitter = new EventEmitter<Notice>();
  private readonly lifeEmitter = new EventEmitter<Life>();
  /** How things stand, whenever it differs. */
  readonly onStatus = this.statusEmitter.event;
  /** Something in the directory is not as it was. */
  readonly onChange = this.changeEmitter.event;
  /** Something that the user is to be told. */
  readonly onNotice = this.noticeEmitter.event;
  readonly onLife = this.lifeEmitter.event;

  private client: LanguageClient | undefined;
  private ends: number[] = [];
  /** One start or stop after the other. */
  private turn: Promise<void> = Promise.resolve();
  life: Life = "stopped";
  binary: Binary | undefined;

  constructor(
    private readonly context: ExtensionContext,
    readonly output: LogOutputChannel,
  ) {}

  /** True if the window has a folder to serve. */
  get hasFolder(): boolean {
    return workspace.workspaceFolders?.some((folder) => folder.uri.scheme === "file") ?? false;
  }

  /** What this window's sessions are, for when it is loaded again. */
  rememberSessions(sessions: readonly string[]): void {
    const known = this.context.workspaceState.get<string[]>(SESSIONS, []);
    if (sessions.length > 0 && JSON.stringify(known) !== JSON.stringify(sessions)) {
      void this.context.workspaceState.update(SESSIONS, sessions);
    }
  }

  private get version(): string {
    const { version } = this.context.extension.packageJSON as { readonly version: string };
    return version;
  }

  /** Starts the server if the window has a folder to serve and it does not run. */
  start(): Promise<void> {
    return this.inTurn(async () => {
      if (this.client === undefined && this.hasFolder) {
        await this.startNow();
      }
    });
  }

  /** Ends the server, which gives back all that the session holds, and starts it anew. */
  restart(): Promise<void> {
    this.ends = [];
    void this.stop();
    return this.start();
  }

  stop(): Promise<void> {
    return this.inTurn(async () => {
      const client = this.client;
      this.client = undefined;
      await client?.dispose().catch((error: unknown) => {
        this.output.warn(`the server did not end as asked: ${String(error)}`);
      });
      this.setLife("stopped");
    });
  }

  /**
   * Runs a command of the server, named without the prefix. A refusal is shown, and answered as `undefined`, unless
   * `refused` takes it and says so by returning true.
   */
  async execute<T = object>(
    name: string,
    argument: object = {},
    refused: (refusal: Refusal) => boolean = () => false,
  ): Promise<(T & { ok: true }) | undefined> {
    const answer = await this.ask<T>(name, argument);
    if (answer === undefined || answer.ok) {
      return answer;
    }
    if (!refused(answer)) {
      void window.showWarningMessage(answer.message);
    }
    return undefined;
  }

  /** The same, for what nobody asked for: without a word if it cannot be done. */
  async query<T>(name: string, argument: object = {}): Promise<(T & { ok: true }) | undefined> {
    if (this.life !== "running" || this.client === undefined) {
      return undefined;
    }
    try {
      const answer = await this.send<T>(this.client, name, argument);
      return answer.ok ? answer : undefined;
    } catch (error) {
      this.output.debug(`${name} was not answered: ${String(error)}`);
      return undefined;
    }
  }

  dispose(): void {
    void this.stop();
    this.statusEmitter.dispose();
    this.changeEmitter.dispose();
    this.noticeEmitter.dispose();
    this.lifeEmitter.dispose();
  }

  private async ask<T>(name: string, argument: object): Promise<Answer<T> | undefined> {
    await this.turn;
    if (this.client === undefined) {
      await this.offerHelp(
        workspace.workspaceFolders === undefined
          ? l10n.t("Deconflict works in folders: open the folder your files are in.")
          : l10n.t("Deconflict's server isn't running."),
      );
      return undefined;
    }
    try {
      return await this.send<T>(this.client, name, argument);
    } catch (error) {
      const cause = error instanceof Error ? error.message : String(error);
      await this.offerHelp(l10n.t("Deconflict couldn't do that: {0}", cause));
      return undefined;
    }
  }

  private async send<T>(client: LanguageClient, name: string, argument: object): Promise<Answer<T>> {
    return client.sendRequest<Answer<T>>("workspace/executeCommand", {
      command: `deconflict.${name}`,
      arguments: [argument],
    });
  }

  private inTurn(action: () => Promise<void>): Promise<void> {
    this.turn = this.turn.then(action, action);
    return this.turn;
  }

  private async startNow(): Promise<void> {
    this.setLife("starting");
    try {
      this.binary = await findBinary(this.context.extensionPath);
      this.client = this.makeClient(this.binary.path);
      await this.client.start();
      const { serverInfo } = this.client.initializeResult ?? {};
      this.output.info(`${serverInfo?.name ?? "server"} ${serverInfo?.version ?? ""} runs`);
      this.setLife("running");
    } catch (error) {
      const client = this.client;
      this.client = undefined;
      this.setLife("stopped");
      this.output.error(String(error));
      void client?.dispose().catch(() => undefined);
      const cause = error instanceof Error ? error.message : String(error);
      const text = error instanceof BinaryNotFound ? cause : l10n.t("Deconflict's server did not start: {0}", cause);
      void this.offerHelp(text, error instanceof BinaryNotFound);
    }
  }

  private makeClient(path: string): LanguageClient {
    this.output.info(`extension ${this.version}, starting ${path}`);
    const options: LanguageClientOptions = {
      // Every file of every language; notebooks come by the server's own wish.
      documentSelector: [{ scheme: "file" }],
      diagnosticCollectionName: "deconflict",
      outputChannel: this.output,
      revealOutputChannelOn: RevealOutputChannelOn.Never,
      initializationOptions: () => ({
        ...userSettings(),
        // The commands are registered here, with their questions.
        commands: false,
        statusNotifications: true,
        changeNotifications: true,
        notices: true,
        earlierSessions: this.context.workspaceState.get<string[]>(SESSIONS, []),
      }),
      middleware: {
        // It names the claim's own file, which says nothing to people: the line's menu and the views have all of it.
        handleDiagnostics: (uri, diagnostics, next) => {
          for (const diagnostic of diagnostics) {
            delete diagnostic.relatedInformation;
          }
          next(uri, diagnostics);
        },
        // The editor's own padding is so narrow that the hint seems to belong to the code.
        provideInlayHints: async (document, range, token, next) => {
          const hints = (await next(document, range, token)) ?? [];
          for (const hint of hints) {
            if (typeof hint.label === "string") {
              hint.label = ` ${hint.label}`;
            } else if (hint.label[0] !== undefined) {
              hint.label[0].value = ` ${hint.label[0].value}`;
            }
          }
          return hints;
        },
        window: {
          showDocument: async (parameters, token, next) => {
            const uri = Uri.parse(parameters.uri);
            if (isBoard(uri)) {
              await previewBoard(uri);
              return { success: true };
            }
            return next(parameters, token);
          },
        },
      },
      errorHandler: {
        error: (): ErrorHandlerResult => ({ action: ErrorAction.Continue }),
        closed: () => this.closed(),
      },
    };
    const client = new LanguageClient(
      "deconflict",
      "Deconflict",
      { command: path, args: ["lsp"] },
      options,
    );
    client.onNotification("deconflict/status", (status: StatusNotification) => {
      this.statusEmitter.fire(status);
    });
    client.onNotification("deconflict/changed", () => {
      this.changeEmitter.fire();
    });
    client.onNotification("deconflict/notice", (notice: Notice) => {
      this.noticeEmitter.fire(notice);
    });
    client.onDidChangeState(({ newState }) => {
      if (client === this.client) {
        this.setLife(newState === State.Running ? "running" : newState === State.Starting ? "starting" : "stopped");
      }
    });
    return client;
  }

  /** The server ended without being asked to. */
  private closed(): CloseHandlerResult {
    const now = Date.now();
    this.ends = this.ends.filter((end) => now - end < RESTART_WINDOW);
    this.ends.push(now);
    if (this.ends.length <= MOST_RESTARTS) {
      this.output.warn("the server ended unexpectedly and is started again");
      return { action: CloseAction.Restart, handled: true };
    }
    void this.inTurn(() => {
      this.client = undefined;
      this.setLife("stopped");
      return Promise.resolve();
    });
    void this.offerHelp(l10n.t("Deconflict's server keeps stopping, so others can't see your edits."));
    return { action: CloseAction.DoNotRestart, handled: true };
  }

  private async offerHelp(text: string, isAboutPath = false): Promise<void> {
    const restart = l10n.t("Start Again");
    const output = l10n.t("Show Output");
    const settings = l10n.t("Open Settings");
    const { commands } = await import("vscode");
    const chosen = await window.showErrorMessage(text, ...(isAboutPath ? [settings, restart] : [restart, output]));
    if (chosen === restart) {
      await this.restart();
    } else if (chosen === output) {
      this.output.show();
    } else if (chosen === settings) {
      await commands.executeCommand("workbench.action.openSettings", "deconflict.server.path");
    }
  }

  private setLife(life: Life): void {
    if (this.life !== life) {
      this.life = life;
      this.lifeEmitter.fire(life);
    }
  }
}

/** What the server takes from the user's own settings only, once, when it starts. */
function userSettings(): object {
  const settings = workspace.getConfiguration("deconflict");
  return {
    directory: settings.inspect<string>("directory")?.globalValue ?? "",
    activation: settings.inspect<string>("activation")?.globalValue ?? "auto",
  };
}
