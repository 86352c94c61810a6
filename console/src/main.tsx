import { render } from "preact";
import { sentence } from "./api/client";
import { App } from "./app";
import { me, restore, signedOutBecause } from "./state/session";
import { keepFocus } from "./ui/kept-focus";
import "./style.css";

const root = document.getElementById("app");
if (root === null) throw new Error("the page has no element with the id app");
render(<App />, root);
keepFocus(root);
restore().catch((error: unknown) => {
  signedOutBecause.value = sentence(error);
  me.value = null;
});
