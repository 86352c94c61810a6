/** The focus of the keyboard stays in the page when the element that has it vanishes. */

/** Watch this element; when one that has the focus is removed, the nearest that is left gets it. */
export function keepFocus(root: HTMLElement): void {
  let around: HTMLElement[] = [];
  root.addEventListener("focusin", (event) => {
    around = [];
    for (let each = event.target as HTMLElement | null; each && each !== root; each = each.parentElement) {
      around.push(each);
    }
  });
  const look = () => {
    const [last] = around;
    if (last === undefined || last.isConnected || document.activeElement !== document.body) return;
    const left = around.find((each) => each.isConnected && each.hasAttribute("tabindex"));
    const next = left ?? root.querySelector<HTMLElement>("main");
    around = [];
    next?.focus({ preventScroll: true });
  };
  new MutationObserver(look).observe(root, { childList: true, subtree: true });
}
