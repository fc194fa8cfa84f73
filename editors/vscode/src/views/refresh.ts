import { EventEmitter, type TreeDataProvider, type TreeItem, type TreeView, window } from "vscode";
import type { Knowledge } from "../knowledge";
import { type Disposable, disposeAll } from "../disposable";

/** Times that a list shows are brought up to date so often, in milliseconds. */
const MINUTE = 60_000;

/** A list of the view that is read anew with what is known, and once a minute while it can be seen. */
export abstract class List<T> implements TreeDataProvider<T>, Disposable {
  private readonly emitter = new EventEmitter<undefined>();
  readonly onDidChangeTreeData = this.emitter.event;
  private readonly subscriptions: Disposable[];
  protected readonly view: TreeView<T>;

  constructor(
    id: string,
    protected readonly knowledge: Knowledge,
  ) {
    this.view = window.createTreeView(id, { treeDataProvider: this, showCollapseAll: false });
    const timer = setInterval(() => {
      if (this.view.visible) {
        this.emitter.fire(undefined);
      }
    }, MINUTE);
    this.subscriptions = [
      this.view,
      this.emitter,
      knowledge.onChange(() => {
        this.refresh();
      }),
      { dispose: () => { clearInterval(timer); } },
    ];
  }

  /** What ends with the list. */
  protected subscribe(...subscriptions: Disposable[]): void {
    this.subscriptions.push(...subscriptions);
  }

  /** Draws the list anew. */
  protected refresh(): void {
    this.emitter.fire(undefined);
    this.refreshed();
  }

  abstract getTreeItem(element: T): TreeItem;
  abstract getChildren(element?: T): T[];

  /** What stands beside the list follows. */
  protected refreshed(): void {
    // Most lists have nothing beside them.
  }

  dispose(): void {
    disposeAll(this.subscriptions);
  }
}
