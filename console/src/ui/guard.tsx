/** A part of the page whose failure does not take the rest of the page with it. */

import { Component, type ComponentChildren } from "preact";

export class Guard extends Component<{ children: ComponentChildren; otherwise: string }, { failed: boolean }> {
  override state = { failed: false };

  static override getDerivedStateFromError() {
    return { failed: true };
  }

  override render() {
    return this.state.failed ? <p class="dim">{this.props.otherwise}</p> : this.props.children;
  }
}
